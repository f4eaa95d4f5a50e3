"""The gate of an updated model."""

from __future__ import annotations

import pytest

from edgener.data.types import Dataset, Sentence, Span
from edgener.parity.budgets import UPDATE_BUDGET, Budget
from edgener.parity.gate import Verdict
from edgener.parity.measures.tagging import Answers
from edgener.parity.update import UpdateReport, judge_update
from edgener_runtime.decoding.schemes import LabelSet

NAMES = ("O", "B-A", "I-A", "B-B", "I-B", "B-NEW", "I-NEW")
COUNT = 400


def dataset(label: str = "A") -> Dataset:
    """Sentences of two words, the first of which is an entity."""
    sentence = Sentence("pump leaks", ((0, 4), (5, 10)), (Span(label, 0, 1),))
    return Dataset("/somewhere/old.jsonl", "test", (sentence,) * COUNT, "jsonl")


def answers(right: int, wrong: str = "O", second: str = "O", names: tuple[str, ...] = NAMES) -> Answers:
    tags = [["B-A" if number < right else wrong, second] for number in range(COUNT)]
    return Answers(LabelSet(names), [], tags)


def judge(before: Answers, after: Answers, *budgets: Budget, labels: tuple[str, ...] = ("A", "B")) -> UpdateReport:
    return judge_update(dataset(), before, after, labels, budgets or (UPDATE_BUDGET,))


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [(300, 380, Verdict.PASS), (380, 300, Verdict.FAIL), (380, 378, Verdict.INCONCLUSIVE), (0, 300, Verdict.PASS)],
)
def test_there_are_three_verdicts(before: int, after: int, verdict: Verdict) -> None:
    report = judge(answers(before), answers(after))
    assert report.verdict is verdict
    assert report.data == "old.jsonl (test)" and report.entities == report.sentences == COUNT
    assert bool(report.judgements[0].needed) is (verdict is Verdict.INCONCLUSIVE)


def test_entities_of_labels_that_the_set_is_not_annotated_with_do_not_count() -> None:
    found = answers(380, second="B-NEW")
    assert judge(answers(380), found).f1_after == judge(answers(380), answers(380)).f1_after
    assert judge(answers(380), found, labels=("A", "B", "NEW")).verdict is Verdict.FAIL


def test_a_budget_of_a_label_is_judged_where_the_set_has_it() -> None:
    budgets = [Budget(UPDATE_BUDGET.figure, 0.05, label) for label in (None, "A", "B", "each")]
    report = judge(answers(380), answers(390, wrong="B-B"), *budgets)
    assert [judgement.label for judgement in report.judgements] == [None, "A", "A"]


def test_each_side_is_read_in_its_own_scheme() -> None:
    plain = Answers(LabelSet(("O", "A"), "PLAIN"), [], [["I-A", "O"]] * COUNT)
    report = judge(plain, answers(COUNT))
    assert report.f1_before == report.f1_after == 1

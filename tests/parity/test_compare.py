"""One variant against PyTorch: what is refused outright, and what the report and the manifest say of the rest."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgener.data.types import Dataset
from edgener.parity import compare as module
from edgener.parity.bootstrap import Estimate
from edgener.parity.budgets import Budget
from edgener.parity.compare import ParityReport, compare, judged_report, run_reference
from edgener.parity.gate import Verdict, explain, judge, overall
from edgener.parity.measures.masks import MaskDeviation
from edgener.parity.measures.metrics import entity_scores
from edgener_exporters.variants import VARIANTS
from edgener_runtime.errors import ParityError
from edgener_runtime.pipeline import TokenLogits

from .made import LABELS, Scripted, dataset

GOLD = ("B-LOC I-LOC O", "B-PER O B-PER", "O O O", "B-LOC O O")
PYTORCH = ("B-LOC I-LOC O", "B-PER O B-PER", "O O B-PER", "B-LOC O O")
DATA = dataset(*GOLD)


def report_of(variant: Scripted, data: Dataset = DATA, pytorch: Sequence[str] = PYTORCH) -> ParityReport:
    reference = run_reference(Scripted(data.sentences, pytorch), data)  # type: ignore[arg-type]
    return compare(reference, "int8", variant)


def against(*tags: str, data: Dataset = DATA, pytorch: Sequence[str] = PYTORCH) -> ParityReport:
    """The report of a variant that says this of each sentence."""
    return report_of(Scripted(data.sentences, tags), data, pytorch)


CHANGED = ("B-LOC I-LOC O", "B-PER O B-LOC", "O O O", "B-LOC O O")


# --- refused outright


class Strange(Scripted):
    """Changes what it says of the second text."""

    def __init__(self, **changes: Any) -> None:
        super().__init__(DATA.sentences, PYTORCH)
        self.changes = changes

    def logits(self, texts: Iterable[str], padding: int = 0) -> Iterator[TokenLogits]:
        for number, scored in enumerate(super().logits(texts, padding)):
            yield replace(scored, **self.changes) if number == 1 else scored


@pytest.mark.parametrize(
    "changes",
    [
        {"input_ids": np.array([10, 11, 99])},
        {"input_ids": np.array([10, 11])},
        {"offsets": np.array([(0, 4), (5, 9), (10, 13)])},
    ],
)
def test_other_subwords_than_pytorchs_are_refused_with_the_text(changes: dict[str, Any]) -> None:
    with pytest.raises(
        ParityError, match=r"int8: the runtime splits 'w1\.0 w1\.1 w1\.2' into other subwords"
    ) as caught:
        report_of(Strange(**changes))
    assert caught.value.exit_code == 3
    assert "tokenizer.json" in str(caught.value.hint)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_logit_that_is_not_finite_is_refused_with_the_text(value: float) -> None:
    logits = np.zeros((3, len(LABELS)), dtype=np.float32)
    logits[2, 4] = value
    with pytest.raises(ParityError, match=r"int8: a logit is not finite for 'w1\.0"):
        report_of(Strange(logits=logits))


def test_a_long_text_is_cut_in_the_message() -> None:
    long = dataset("O " * 40)

    class Off(Scripted):
        def logits(self, texts: Iterable[str], padding: int = 0) -> Iterator[TokenLogits]:
            yield from (replace(scored, input_ids=scored.input_ids + 1) for scored in super().logits(texts, padding))

    with pytest.raises(ParityError) as caught:
        report_of(Off(long.sentences, ["O " * 40]), long, ["O " * 40])
    assert len(caught.value.message) < 150


# --- the figures


def test_the_same_answers_lose_nothing() -> None:
    report = against(*PYTORCH)
    assert report.figures == replace(
        report.figures, sentences=4, tokens=12, equal_labels=1.0, churn=0.0, max_logit_difference=0.0,
        f1_difference=0.0, batch_effect=0.0, verdict=None,
    )  # fmt: skip
    assert report.scores == report.scores_pytorch
    assert report.changes == () and report.diff.kinds == {}
    assert report.estimates.masks == dict.fromkeys(("right-padded", "left-padded", "holed"), MaskDeviation(0.0, 0.0))


def test_the_manifests_figures_are_those_of_the_estimates() -> None:
    report = against(*CHANGED)
    figures, every = report.figures, report.estimates.overall
    assert every.churn and every.f1_difference and report.estimates.equal_labels and report.estimates.batch_effect
    assert figures.churn == every.churn.value == pytest.approx((1 + 0.5) / 5)  # one relabelled and one lost, of five
    assert figures.churn_interval == (every.churn.low, every.churn.high)
    assert figures.equal_labels == report.estimates.equal_labels.value == pytest.approx(10 / 12)
    assert (figures.f1, figures.f1_pytorch) == (every.f1, every.f1_pytorch)
    assert figures.f1_difference == every.f1_difference.value
    assert figures.f1_difference_interval == (every.f1_difference.low, every.f1_difference.high)
    assert figures.batch_effect == report.estimates.batch_effect.value == 0
    assert figures.max_logit_difference == report.logits.max_difference == 5


def test_the_scores_are_seqevals_of_either_side() -> None:
    report = against(*CHANGED)
    gold, ours, theirs = ([tags.split() for tags in side] for side in (GOLD, CHANGED, PYTORCH))
    assert report.scores == entity_scores(gold, ours)
    assert report.scores_pytorch == entity_scores(gold, theirs)
    assert report.scores is not None and report.figures.f1 == pytest.approx(report.scores.micro.f1)


def test_the_diff_holds_each_change_and_its_counts_add_up() -> None:
    report = against(*CHANGED)
    assert [(change.kind, change.sentence, change.line) for change in report.changes] == [
        ("relabelled", 1, 2),
        ("lost", 2, 3),
    ]
    assert report.diff.kinds == {"relabelled": 1, "lost": 1}


def test_the_batch_effect_is_the_variants_own() -> None:
    report = report_of(Scripted(DATA.sentences, PYTORCH, padded={0: "O O O"}))
    assert report.figures.churn == 0
    assert report.figures.batch_effect == pytest.approx(0.5 / 5)


def test_it_says_on_what_and_where_it_was_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "isa", lambda: "avx1024")
    report = against(*PYTORCH, data=replace(DATA, source="/home/me/data/mine.txt"))
    assert (report.data, report.isa, report.variant) == ("mine.txt (test)", "avx1024", "int8")


def test_progress_is_reported_twice_per_sentence() -> None:
    reference = run_reference(Scripted(DATA.sentences, PYTORCH), DATA)  # type: ignore[arg-type]
    steps: list[int] = []
    compare(reference, "int8", Scripted(DATA.sentences, PYTORCH), lambda: steps.append(1))
    assert len(steps) == 2 * len(GOLD)


# --- with little to measure on


def test_text_without_gold_entities_has_churn_and_no_scores() -> None:
    unlabelled = replace(DATA, sentences=tuple(replace(each, spans=()) for each in DATA.sentences))
    report = against(*CHANGED, data=unlabelled)
    assert report.scores is report.scores_pytorch is None
    assert report.figures.f1 is report.figures.f1_pytorch is report.figures.f1_difference is None
    assert report.logits.ece is None
    assert report.figures.churn == pytest.approx(0.3)


def verdict(report: ParityReport, *budgets: Budget) -> Verdict:
    return overall(judge(VARIANTS["int8-dynamic"], report.estimates, budgets))


NOTHING = ("O O O",) * 4


def test_a_variant_that_finds_nothing_fails_however_it_is_judged() -> None:
    report = against(*NOTHING * 30, data=dataset(*GOLD * 30), pytorch=PYTORCH * 30)
    assert report.figures.f1 == 0 and report.figures.churn == 0.5  # all of them lost, each counts half
    for budget in (Budget("f1_drop", 0.1), Budget("f1_share", 0.01), Budget("churn", 0.1)):
        assert verdict(report, budget) is Verdict.FAIL


def test_where_neither_finds_anything_nothing_can_be_measured() -> None:
    report = against(*NOTHING, pytorch=NOTHING)
    assert report.figures.churn == 0 and report.figures.churn_interval is None
    assert report.figures.f1 == report.figures.f1_pytorch == 0
    for budget in (Budget("f1_drop", 0.1), Budget("f1_share", 0.01), Budget("churn", 0.1), Budget("batch_effect", 0.1)):
        assert verdict(report, budget) is Verdict.INCONCLUSIVE


def test_what_is_gained_where_pytorch_finds_nothing_is_not_a_churn_of_nothing() -> None:
    report = against(*CHANGED, pytorch=NOTHING)
    assert report.figures.churn == 1.0
    assert verdict(report, Budget("churn", 0.5)) is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    ("gold", "pytorch", "budget", "words"),
    [
        ("B-LOC O", "B-LOC B-PER", Budget("f1_drop", 0.1, "PER"), "the text has no such entity"),
        ("B-LOC O", "B-LOC B-PER", Budget("f1_share", 0.1, "PER"), "the text has no such entity"),
        ("B-LOC B-PER", "B-LOC O", Budget("f1_drop", 0.1, "PER"), "PyTorch gets no such entity right"),
        ("B-LOC B-PER", "B-LOC O", Budget("churn", 0.1, "PER"), "PyTorch finds no such entity"),
        ("B-LOC O", "O O", Budget("f1_drop", 0.1), "PyTorch gets no such entity right"),
        ("B-LOC O", "O O", Budget("churn", 0.1), "PyTorch finds no such entity"),
        ("B-LOC O", "O O", Budget("batch_effect", 0.1), "the variant finds no entity"),
    ],
)
def test_where_nothing_can_be_measured_the_reason_is_given(gold: str, pytorch: str, budget: Budget, words: str) -> None:
    report = against(pytorch, data=dataset(gold), pytorch=[pytorch])
    (judged, *_) = judge(VARIANTS["int8-dynamic"], report.estimates, [budget])
    assert judged.verdict is Verdict.INCONCLUSIVE
    line = explain("int8", judged)
    assert "cannot be judged" in line and words in line


def test_a_text_without_a_token_is_compared() -> None:
    report = against("", data=dataset(""), pytorch=[""])
    (exact,) = judge(VARIANTS["fp32"], report.estimates, [])
    assert exact.verdict is Verdict.INCONCLUSIVE and "the text has no token" in explain("fp32", exact)
    assert (report.figures.sentences, report.figures.tokens, report.figures.equal_labels) == (1, 0, 1.0)
    assert report.estimates.masks == {}


# --- judged_report


def test_the_gates_word_stands_in_the_report_and_in_the_manifest() -> None:
    report = against(*CHANGED)
    judgements = judge(VARIANTS["int8-dynamic"], report.estimates, [Budget("churn", 0.0)])
    done = judged_report(report, judgements)
    assert (done.verdict, done.figures.verdict, done.judgements) == (Verdict.FAIL, "fail", judgements)
    assert replace(done, verdict=report.verdict, judgements=(), figures=report.figures) == report


def test_the_record_is_all_but_the_changes_and_survives_json() -> None:
    report = against(*CHANGED)
    record = judged_report(report, judge(VARIANTS["int8-dynamic"], report.estimates, [Budget("churn", 0.5)])).record()
    assert record["changes"] == () and record["verdict"] in list(Verdict)
    assert Estimate(**json.loads(json.dumps(record))["estimates"]["overall"]["churn"]) == report.estimates.overall.churn
    assert {field.name for field in dataclasses.fields(ParityReport)} - {"counts"} == set(
        record
    )  # the manifest has those


tags = st.lists(st.sampled_from(LABELS), min_size=3, max_size=3).map(" ".join)


@given(st.tuples(*[tags] * 4), st.tuples(*[tags] * 4))
def test_figures_are_shares_within_their_intervals(pytorch: Sequence[str], variant: Sequence[str]) -> None:
    report = against(*variant, pytorch=pytorch)
    figures, found = report.figures, report.estimates
    assert 0 <= figures.equal_labels <= 1 and figures.churn >= 0
    assert found.batch_effect is None or found.batch_effect.value == 0
    for share in (found.overall.churn, found.equal_labels, *(each.churn for each in found.labels.values())):
        assert share is None or share.low - 1e-9 <= share.value <= share.high + 1e-9
    assert (figures.churn == 0) == (not report.changes)

"""Counts by sentence, against seqeval and by hand, and the figures made of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgener.data.types import Sentence
from edgener.parity.figures import measure
from edgener.parity.measures.counts import Count, Counts, count_entities, count_sentences
from edgener.parity.measures.metrics import entity_scores
from edgener.parity.measures.tagging import Answers
from edgener_runtime.decoding.schemes import LabelSet

LABELS = ("LOC", "PER")
TAGS = ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")


def counted(gold: str, pytorch: str, variant: str) -> dict[str, list[float]]:
    """Counts by label of one sentence, its tags written with spaces."""
    counts = count_entities(LABELS, [gold.split()], [pytorch.split()], [variant.split()])
    return dict(zip(LABELS, counts[0].tolist(), strict=True))


def test_hits_guesses_and_gold_are_counted_by_label_for_both() -> None:
    counts = counted("B-LOC I-LOC O B-PER", "B-LOC I-LOC O B-LOC", "B-LOC O O B-PER")
    assert counts["LOC"][: Count.ENTITIES] == [0, 1, 1, 2, 1]
    assert counts["PER"][: Count.ENTITIES] == [1, 1, 0, 0, 1]


@pytest.mark.parametrize(
    ("pytorch", "variant", "changed"),
    [
        ("B-LOC O O", "B-LOC O O", (0, 0)),
        ("B-LOC O O", "O O O", (0.5, 0)),  # lost
        ("O O O", "O B-PER I-PER", (0, 0.5)),  # gained
        ("B-LOC I-LOC O", "B-LOC O O", (1, 0)),  # moved
        ("B-LOC I-LOC O", "B-PER I-PER O", (0.5, 0.5)),  # relabelled
        ("I-LOC I-LOC O", "B-LOC I-LOC O", (0, 0)),  # a stray I- shows as the same entity on a device
    ],
)
def test_what_only_one_of_both_has_counts_half(pytorch: str, variant: str, changed: tuple[float, float]) -> None:
    counts = counted("O O O", pytorch, variant)
    assert tuple(counts[label][Count.CHANGED] for label in LABELS) == changed


@st.composite
def three_sides(draw: st.DrawFn) -> list[list[list[str]]]:
    lengths = draw(st.lists(st.integers(1, 7), min_size=1, max_size=5))
    sentence = [st.lists(st.sampled_from(TAGS), min_size=length, max_size=length) for length in lengths]
    return [[draw(tags) for tags in sentence] for _ in range(3)]


@given(three_sides())
def test_the_sums_give_seqevals_strict_scores(sides: list[list[list[str]]]) -> None:
    gold, pytorch, variant = sides
    total = count_entities(LABELS, gold, pytorch, variant).sum(axis=0)
    for tags, hits, guessed in (
        (variant, Count.HITS, Count.GUESSED),
        (pytorch, Count.HITS_PYTORCH, Count.GUESSED_PYTORCH),
    ):
        scores = entity_scores(gold, tags)
        for label, row in zip(LABELS, total, strict=True):
            found = scores.labels.get(label)
            expected = (found.precision, found.recall, found.support) if found else (0, 0, 0)
            ours = (row[hits] / max(1, row[guessed]), row[hits] / max(1, row[Count.GOLD]), row[Count.GOLD])
            assert ours == pytest.approx(expected)


def answers(*tags: str) -> Answers:
    return Answers(LabelSet(TAGS), [], [sentence.split() for sentence in tags])


def sentences(*tags: str, documents: int = 1) -> list[Sentence]:
    """Sentences with those gold tags, shared out over documents in turn."""
    from edgener.data.tags import spans_of

    return [
        Sentence("x " * len(each.split()), tuple((2 * i, 2 * i + 1) for i in range(len(each.split()))),
                 spans_of(each.split())[0], document=number % documents)
        for number, each in enumerate(tags)
    ]  # fmt: skip


def count(gold: list[Sentence], pytorch: Answers, variant: Answers) -> Counts:
    return count_sentences(gold, pytorch, variant, np.zeros((len(gold), 2)))


GOLD = ("B-LOC I-LOC O", "B-PER O O", "O O O")
PYTORCH = ("B-LOC I-LOC O", "B-PER O O", "B-LOC O O")
VARIANT = ("B-LOC O O", "B-PER O O", "B-LOC O O")


def test_figures_are_those_of_the_scores() -> None:
    figures = measure(count(sentences(*GOLD), answers(*PYTORCH), answers(*VARIANT)), {})
    gold, pytorch, variant = ([tags.split() for tags in side] for side in (GOLD, PYTORCH, VARIANT))
    ours, theirs = entity_scores(gold, variant), entity_scores(gold, pytorch)
    assert (figures.overall.f1, figures.overall.f1_pytorch) == (ours.micro.f1, theirs.micro.f1)
    for label in LABELS:
        assert figures.labels[label].f1 == ours.labels[label].f1
    assert figures.overall.f1_difference is not None and figures.overall.f1_kept is not None
    assert figures.overall.f1_difference.value == pytest.approx(ours.micro.f1 - theirs.micro.f1)
    assert figures.overall.f1_kept.value == pytest.approx(ours.micro.f1 / theirs.micro.f1)
    assert (figures.overall.gold, figures.overall.entities) == (2, 3)


def test_churn_and_agreement_are_shares_of_entities_and_of_tokens() -> None:
    figures = measure(count(sentences(*GOLD), answers(*PYTORCH), answers(*VARIANT)), {})
    assert figures.overall.churn and figures.labels["LOC"].churn and figures.equal_labels
    assert figures.overall.churn.value == pytest.approx(1 / 3)  # one of three moved
    assert figures.labels["LOC"].churn.value == pytest.approx(1 / 2)
    assert figures.equal_labels.value == pytest.approx(8 / 9)


def test_a_label_without_entities_has_no_estimate() -> None:
    figures = measure(count(sentences("B-LOC O"), answers("B-LOC O"), answers("B-LOC O")), {})
    nobody = figures.labels["PER"]
    assert (nobody.gold, nobody.entities) == (0, 0)
    assert nobody.f1 is nobody.f1_pytorch is nobody.f1_difference is nobody.f1_kept is nobody.churn is None


def test_text_without_gold_entities_has_churn_and_no_f1() -> None:
    figures = measure(count(sentences("O O"), answers("B-LOC O"), answers("O O")), {})
    assert figures.overall.f1 is figures.overall.f1_difference is None
    assert figures.overall.churn is not None and figures.overall.churn.value == 0.5


def test_a_variant_that_finds_nothing_loses_all() -> None:
    figures = measure(count(sentences(*GOLD), answers(*PYTORCH), answers("O O O", "O O O", "O O O")), {})
    assert figures.overall.f1 == 0
    assert figures.overall.f1_kept is not None and figures.overall.f1_kept.value == 0


def test_labels_that_only_the_variant_knows_are_counted() -> None:
    variant = Answers(LabelSet(("O", "B-ORG")), [], [["B-ORG"]])
    assert count(sentences("O"), answers("O"), variant).labels == ("LOC", "ORG", "PER")


def test_documents_are_drawn_where_there_are_enough_of_them() -> None:
    for documents, unit, units in ((3, "sentence", 120), (40, "document", 40)):
        gold = sentences(*GOLD * 40, documents=documents)
        figures = measure(count(gold, answers(*PYTORCH * 40), answers(*VARIANT * 40)), {})
        assert (figures.unit, figures.units) == (unit, units)


def test_sentences_of_a_document_that_err_together_widen_the_interval() -> None:
    """The same changes, all in five of forty documents or one or two in each."""
    tags = ["B-LOC O"] * 400
    together = [i % 40 < 5 for i in range(400)]
    apart = [i < 50 for i in range(400)]
    widths = []
    for wrong in (together, apart):
        variant = answers(*("O O" if is_wrong else "B-LOC O" for is_wrong in wrong))
        churn = measure(count(sentences(*tags, documents=40), answers(*tags), variant), {}).overall.churn
        assert churn is not None and churn.value == pytest.approx(50 / 400 / 2)
        widths.append(churn.high - churn.low)
    assert widths[0] > 2 * widths[1]

"""A text alone, padded, and beside others: who answers otherwise is counted, who does not is 0."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgener.parity.measures.batch_effect import count_batch_effect
from edgener.parity.measures.tagging import answer

from ..made import LABELS, Scripted, dataset

TEXTS = dataset("O O O", "O O O", "O O O").sentences
ALONE = ("B-LOC I-LOC O", "B-PER O B-PER", "O O O")


def counted(model: Scripted) -> list[list[float]]:
    """What changed and all, by text."""
    steps: list[int] = []
    beside = answer(model, TEXTS, lambda: None).tags
    counts = count_batch_effect(model, TEXTS, beside, lambda: steps.append(1))
    assert len(steps) == len(TEXTS)
    return [[float(number) for number in row] for row in counts]


def test_a_model_that_always_says_the_same_has_none() -> None:
    assert counted(Scripted(TEXTS, ALONE)) == [[0, 1], [0, 2], [0, 0]]


def test_as_many_texts_are_looked_at_as_asked_and_the_others_count_nothing() -> None:
    model, steps = Scripted(TEXTS, ALONE), list[int]()
    counts = count_batch_effect(model, TEXTS, [tags.split() for tags in ALONE], lambda: steps.append(1), most=2)
    assert counts[:, 1].tolist() == [1, 0, 0]
    assert len(steps) == len(TEXTS)


@pytest.mark.parametrize("where", ["beside", "padded"])
@pytest.mark.parametrize(
    ("otherwise", "changed"),
    [
        ("O O O", 1.0),  # both entities lost, each counts half
        ("B-PER O O", 0.5),
        ("B-PER B-LOC B-PER", 0.5),  # one gained
        ("B-PER O B-LOC", 1.0),  # relabelled: one lost, one gained
        ("I-PER O B-PER", 0.0),  # the same entity to whoever reads it
    ],
)
def test_an_entity_that_comes_or_goes_with_the_company_or_the_padding_counts_half(
    where: str, otherwise: str, changed: float
) -> None:
    assert counted(Scripted(TEXTS, ALONE, **{where: {1: otherwise}})) == [[0, 1], [changed, 2], [0, 0]]


def test_an_entity_that_goes_both_beside_others_and_padded_went_once() -> None:
    gone = {0: "O O O"}
    assert counted(Scripted(TEXTS, ALONE, beside=gone, padded=gone))[0] == [0.5, 1]


def test_what_is_gained_differently_in_each_counts_each() -> None:
    model = Scripted(TEXTS, ALONE, beside={2: "B-LOC O O"}, padded={2: "O O B-PER"})
    assert counted(model)[2] == [1.0, 0]


tags = st.lists(st.sampled_from(LABELS), min_size=3, max_size=3).map(" ".join)


@given(st.tuples(tags, tags, tags))
def test_whoever_ignores_company_and_padding_has_no_batch_effect(alone: Sequence[str]) -> None:
    assert all(changed == 0 for changed, _ in counted(Scripted(TEXTS, alone)))


@given(tags, tags, tags)
def test_a_change_is_seen_whichever_of_the_three_differs(alone: str, beside: str, padded: str) -> None:
    model = Scripted(TEXTS, (alone, *ALONE[1:]), beside={0: beside}, padded={0: padded})
    straight = Scripted(TEXTS, (alone, *ALONE[1:]))
    changed = counted(model)[0][0]
    seen = {entities(tags) for tags in (alone, beside, padded)}
    assert (changed > 0) == (len(seen) > 1)
    assert counted(model)[0][1] == counted(straight)[0][1]


def entities(tags: str) -> frozenset[object]:
    from edgener.data.tags import spans_of

    return frozenset(spans_of(tags.split())[0])

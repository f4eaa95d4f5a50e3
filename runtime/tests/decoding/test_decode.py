"""Logits to entities, by each aggregation."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from edgener_runtime.decoding.decode import Decoder, Scored, softmax
from edgener_runtime.decoding.entity import AGGREGATIONS, Decoding, Entity
from edgener_runtime.decoding.schemes import LabelSet
from edgener_runtime.errors import UserInputError

LABELS = ("O", "B-PART", "I-PART", "B-FAULT", "I-FAULT")


def logits_of(*scores: dict[str, float], labels: tuple[str, ...] = LABELS) -> NDArray[np.float32]:
    """Logits that give each subword these probabilities, and its other labels an equal share of what is left."""
    rows = []
    for known in scores:
        rest = (1 - sum(known.values())) / (len(labels) - len(known))
        rows.append([np.log(known.get(label, rest)) for label in labels])
    return np.array(rows, dtype=np.float32)


def decoded(
    text: str, logits: Any, offsets: Any, continues: list[bool], decoding: Decoding | str = "simple",
    labels: tuple[str, ...] = LABELS,
) -> list[Entity]:  # fmt: skip
    """The entities of one text."""
    decoding = Decoding(decoding) if isinstance(decoding, str) else decoding
    scored = Scored(logits, offsets, lambda: continues, [len(logits)])
    [entities] = Decoder(LabelSet(labels)).entities([text], scored, decoding)
    return entities


def found(text: str, tags: str, aggregation: str = "simple", labels: tuple[str, ...] = LABELS) -> list[tuple[Any, ...]]:
    """(label, text) of the entities where each word of `text` is a subword that has the tag of its place."""
    logits = logits_of(*({tag: 0.9} for tag in tags.split()), labels=labels)
    starts = [0, *(i + 1 for i, sign in enumerate(text) if sign == " ")]
    offsets = np.array([(start, start + len(word)) for start, word in zip(starts, text.split(), strict=True)])
    entities = decoded(text, logits, offsets, [False] * len(starts), aggregation, labels)
    return [(entity.label, entity.text) for entity in entities]


# --- grouping


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("O O O", []),
        ("B-PART I-PART O", [("PART", "a b")]),
        ("B-PART I-PART I-PART", [("PART", "a b c")]),
        ("B-PART B-PART I-PART", [("PART", "a"), ("PART", "b c")]),
        ("I-PART I-PART O", [("PART", "a b")]),
        ("B-PART I-FAULT I-FAULT", [("PART", "a"), ("FAULT", "b c")]),
        ("B-PART O I-PART", [("PART", "a"), ("PART", "c")]),
        ("O B-FAULT B-PART", [("FAULT", "b"), ("PART", "c")]),
    ],
)
@pytest.mark.parametrize("aggregation", AGGREGATIONS[1:])
def test_neighbours_of_a_type_are_one_entity_until_one_begins(
    tags: str, expected: list[tuple[str, str]], aggregation: str
) -> None:
    assert found("a b c", tags, aggregation) == expected


def test_none_returns_every_subword_that_is_not_outside() -> None:
    assert found("a b c", "B-PART I-PART O", "none") == [("B-PART", "a"), ("I-PART", "b")]


def test_labels_may_have_hyphens_or_no_prefix() -> None:
    assert found("a b c", "B-PART-NO I-PART-NO PER", labels=("O", "B-PART-NO", "I-PART-NO", "PER")) == [
        ("PART-NO", "a b"), ("PER", "c"),
    ]  # fmt: skip


def test_an_entity_s_score_is_the_mean_of_its_parts() -> None:
    logits = logits_of({"B-PART": 0.9}, {"I-PART": 0.6}, {"O": 0.8})
    [entity] = decoded("a b c", logits, np.array([(0, 1), (2, 3), (4, 5)]), [False] * 3)
    assert entity == Entity("PART", 0, 3, pytest.approx(0.75, abs=1e-6), "a b")


# --- words of several subwords

TEXT = "seals ok"
OFFSETS = np.array([(0, 3), (3, 4), (4, 5), (6, 8)])
CONTINUES = [False, True, True, False]
UNSURE = logits_of({"B-PART": 0.5, "B-FAULT": 0.4}, {"B-FAULT": 0.8}, {"O": 0.9}, {"O": 0.9})


@pytest.mark.parametrize(
    ("aggregation", "expected"),
    [
        ("none", [("B-PART", "sea", 0.5), ("B-FAULT", "l", 0.8)]),
        ("simple", [("PART", "sea", 0.5), ("FAULT", "l", 0.8)]),
        ("first", [("PART", "seals", 0.5)]),
        ("max", []),
        ("average", [("FAULT", "seals", (0.4 + 0.8 + 0.025) / 3)]),
    ],
)
def test_a_word_s_label_is_that_of_its_first_surest_or_mean_subword(
    aggregation: str, expected: list[tuple[str, str, float]]
) -> None:
    entities = decoded(TEXT, UNSURE, OFFSETS, CONTINUES, aggregation)
    found = [(entity.label, entity.text, pytest.approx(entity.score, abs=1e-6)) for entity in entities]
    assert found == expected


def test_of_two_equally_sure_subwords_the_first_decides() -> None:
    logits = logits_of({"B-PART": 0.7}, {"B-FAULT": 0.7})
    [entity] = decoded("seal", logits, np.array([(0, 2), (2, 4)]), [False, True], "max")
    assert (entity.label, entity.text) == ("PART", "seal")


def test_a_text_that_starts_within_a_word_starts_one() -> None:
    logits = logits_of({"B-PART": 0.7}, {"O": 0.7})
    [entity] = decoded("seal", logits, np.array([(0, 2), (2, 4)]), [True, True], "first")
    assert entity.text == "seal"


# --- at the edges


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
def test_a_text_without_subwords_has_no_entities(aggregation: str) -> None:
    assert decoded("  ", np.empty((0, 5), np.float32), np.empty((0, 2), np.int64), [], aggregation) == []


@pytest.mark.parametrize("aggregation", ["", "mean", "SIMPLE"])
def test_an_aggregation_that_there_is_not_is_reported_with_those_there_are(aggregation: str) -> None:
    with pytest.raises(UserInputError, match="there is no aggregation") as raised:
        decoded("", np.empty((0, 5), np.float32), np.empty((0, 2), np.int64), [], aggregation)
    assert raised.value.hint == "Choose one of: none, simple, first, average, max"


def test_large_logits_do_not_overflow() -> None:
    scores = softmax(np.array([[1e4, -1e4, 0], [1e38, 1e38, -1e38]], dtype=np.float32))
    assert scores.tolist() == [[1, 0, 0], [0.5, 0.5, 0]]


@st.composite
def tagged_texts(draw: st.DrawFn) -> tuple[str, Any, Any, list[bool]]:
    """A text with subwords anywhere in it, in order, and any logits."""
    cuts = sorted(draw(st.sets(st.integers(0, 40), max_size=24)))
    offsets = np.array(cuts[: len(cuts) // 2 * 2], dtype=np.int64).reshape(-1, 2)
    numbers = st.floats(-20, 20, width=32)
    logits = draw(st.lists(st.lists(numbers, min_size=5, max_size=5), min_size=len(offsets), max_size=len(offsets)))
    continues = draw(st.lists(st.booleans(), min_size=len(offsets), max_size=len(offsets)))
    return "泵x" * 20, np.array(logits, dtype=np.float32).reshape(-1, 5), offsets, continues


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
@given(tagged_texts())
def test_entities_stand_in_order_within_the_text(aggregation: str, tagged: tuple[str, Any, Any, list[bool]]) -> None:
    text, logits, offsets, continues = tagged
    entities = decoded(text, logits, offsets, continues, aggregation)
    for entity in entities:
        assert 0 <= entity.start < entity.end <= len(text)
        assert entity.text == text[entity.start : entity.end]
        assert 0 < entity.score <= 1 + 1e-6
        assert entity.start in offsets[:, 0] and entity.end in offsets[:, 1]
    assert all(one.end <= other.start for one, other in pairwise(entities))

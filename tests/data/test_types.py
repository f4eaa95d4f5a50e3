"""Labelled text: what its content hash distinguishes, and the tag set of a model."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from edgener.data.types import Dataset, Sentence, Span, iob2_labels

SENTENCE = Sentence("P-1 漏油", ((0, 3), (4, 5), (5, 6)), (Span("EQ", 0, 1), Span("F", 1, 3)), line=4)
DATASET = Dataset("a.txt", "train", (SENTENCE, SENTENCE), "conll", "IOB2")


def test_counts_and_labels() -> None:
    assert DATASET.labels == ("EQ", "F")
    assert DATASET.token_count == 6
    assert DATASET.entity_counts == Counter(EQ=2, F=2)
    assert SENTENCE.tokens == ["P-1", "漏", "油"] and SENTENCE.tags() == ["B-EQ", "B-F", "I-F"]


@pytest.mark.parametrize(
    "changed",
    [
        replace(SENTENCE, text="P-2 漏油"),
        replace(SENTENCE, offsets=((0, 3), (4, 6), (6, 6))),
        replace(SENTENCE, spans=(Span("EQ", 0, 1),)),
        replace(SENTENCE, spans=(Span("EQ", 0, 1), Span("G", 1, 3))),
    ],
)
def test_the_hash_changes_with_the_content(changed: Sentence) -> None:
    assert replace(DATASET, sentences=(SENTENCE, changed)).sha256 != DATASET.sha256


def test_the_hash_does_not_change_with_where_the_content_came_from() -> None:
    moved = (replace(SENTENCE, line=9), SENTENCE)
    assert Dataset("b.json", "test", moved, "json", repairs=Counter(x=1)).sha256 == DATASET.sha256


def test_half_an_emoji_can_be_hashed() -> None:
    assert replace(DATASET, sentences=(Sentence("\ud83d", ((0, 1),), ()),)).sha256 != DATASET.sha256


def test_a_model_s_tags_are_o_and_two_for_each_label() -> None:
    assert iob2_labels(("EQ", "F")) == ("O", "B-EQ", "I-EQ", "B-F", "I-F")
    assert iob2_labels(()) == ("O",)

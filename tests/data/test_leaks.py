"""Sentences that stand twice."""

from __future__ import annotations

import pytest

from edgener.data.inspect import check_disjoint, overlap, repeats
from edgener.data.sentences import join_tokens
from edgener.data.types import Dataset, Sentence, Span
from edgener_runtime.errors import UserInputError


def dataset(split: str, *texts: str) -> Dataset:
    return Dataset(f"{split}.txt", split, tuple(Sentence(text, (), ()) for text in texts), "conll")


def test_a_repeat_has_the_same_text_and_the_same_annotation() -> None:
    text, offsets = join_tokens(["泵", "漏油"])
    plain, marked = (Sentence(text, offsets, spans) for spans in ((), (Span("F", 1, 2),)))
    assert repeats(Dataset("s", "train", (plain, marked, plain, plain, marked), "conll")) == 3


def test_overlap_counts_different_sentences_that_stand_in_both() -> None:
    assert overlap(dataset("train", "a", "a", "b", "c"), dataset("test", "a", "c", "c", "d")) == 2
    assert overlap(dataset("train", "a"), dataset("test", "A")) == 0


def test_a_calibration_set_that_meets_the_test_set_is_an_error() -> None:
    calibration = dataset("train", "pump", "漏油", "x" * 200)
    check_disjoint(calibration, dataset("test", "valve"))
    with pytest.raises(UserInputError) as error:
        check_disjoint(calibration, dataset("test", "漏油", "pump"))
    assert error.value.message == ("2 sentences are both in train.txt (train) and in test.txt (test), such as 'pump'")
    assert error.value.hint and error.value.exit_code == 2


def test_an_empty_sentence_is_not_a_leak() -> None:
    both = dataset("train", ""), dataset("test", "")
    check_disjoint(*both)
    assert overlap(*both) == 0

"""The counts, lengths and overlaps of a data set."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from edgener.data.inspect import inspect
from edgener.data.sentences import join_tokens
from edgener.data.types import Dataset, Sentence, Span


def sentence(words: str, *spans: Span) -> Sentence:
    text, offsets = join_tokens(words.split())
    return Sentence(text, offsets, spans)


TRAIN = Dataset(
    "train.txt",
    "train",
    (
        sentence("pump P-1 leaks", Span("EQ", 0, 2), Span("F", 2, 3)),
        sentence("valve stuck", Span("EQ", 0, 1)),
        sentence("valve stuck", Span("EQ", 0, 1)),
        sentence(""),
    ),
    "conll",
    "IOB2",
    Counter({"comment lines": 2}),
)
TEST = Dataset("test.txt", "test", (sentence("valve stuck"), sentence("a b c d")), "text-spans")


def words_as_subwords(texts: list[str], **options: Any) -> dict[str, list[list[str]]]:
    """A tokenizer's call: the words of each text between two special tokens."""
    assert options["truncation"] is False
    return {"input_ids": [["[CLS]", *text.split(), "[SEP]"] for text in texts]}


def test_a_split_is_counted() -> None:
    report = inspect({"train": TRAIN}).splits[0]
    assert (report.source, report.split, report.format, report.scheme) == ("train.txt", "train", "conll", "IOB2")
    assert (report.sentences, report.tokens, report.entities, report.longest, report.repeats) == (4, 7, 4, 3, 1)
    assert report.labels == {"EQ": 3, "F": 1} and list(report.labels) == ["EQ", "F"]
    assert report.repairs == {"comment lines": 2}
    assert report.sha256 == TRAIN.sha256 and report.subwords is None


def test_every_pair_of_splits_is_compared() -> None:
    splits = {"train": TRAIN, "valid": TEST, "test": TEST}
    assert inspect(splits).overlaps == {"train and valid": 1, "train and test": 1, "valid and test": 2}


@pytest.mark.parametrize(("limit", "over"), [(1, 4), (3, 3), (4, 1), (5, 0)])
def test_subwords_are_counted_with_the_special_tokens(limit: int, over: int) -> None:
    lengths = inspect({"train": TRAIN}, words_as_subwords, limit).splits[0].subwords
    assert lengths is not None
    assert (lengths.limit, lengths.over_limit, lengths.share_over_limit) == (limit, over, over / 4)


@pytest.mark.parametrize(
    ("count", "quantiles"), [(101, (52, 92, 97, 101, 102)), (3, (3, 4, 4, 4, 4)), (1, (2, 2, 2, 2, 2))]
)
def test_quantiles_are_lengths_that_occur(count: int, quantiles: tuple[int, ...]) -> None:
    texts = tuple(sentence("w " * size) for size in range(count))
    lengths = inspect({"all": Dataset("a", "all", texts, "conll")}, words_as_subwords).splits[0].subwords
    assert lengths is not None
    assert lengths.quantiles == dict(zip(("50%", "90%", "95%", "99%", "100%"), quantiles, strict=True))

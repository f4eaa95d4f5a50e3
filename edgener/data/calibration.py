"""Text to measure ranges on: what the user named, or a share of the train split, never the test set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from .leaks import check_disjoint
from .read import DataSpec, read_split
from .types import Dataset, Sentence

SHARE = 1000  # sentences of the train split


def calibration_text(spec: DataSpec, source: str | None, judged: Dataset) -> Dataset:
    """All of `source`, read as `spec` says, or a share of the train split that leaves out what `judged` repeats.

    Raises UserInputError where it cannot be read, or a sentence of `source` stands in `judged`.
    """
    if source is not None:
        named = read_split(replace(spec, source=source, cut=None), "train")
        check_disjoint(named, judged)
        return named
    train, seen = read_split(spec, "train"), {sentence.text for sentence in judged.sentences}
    unseen = [sentence for sentence in train.sentences if sentence.text not in seen]
    return replace(train, sentences=tuple(representative(unseen, SHARE)))


def representative(sentences: Sequence[Sentence], count: int) -> list[Sentence]:
    """At most `count` sentences with different texts, in their order, whose lengths are spread as those of all."""
    different = list({sentence.text: sentence for sentence in sentences}.values())
    if len(different) <= count:
        return different
    by_length = sorted(range(len(different)), key=lambda index: (len(different[index].text), index))
    chosen = {by_length[(2 * i + 1) * len(different) // (2 * count)] for i in range(count)}
    return [sentence for index, sentence in enumerate(different) if index in chosen]

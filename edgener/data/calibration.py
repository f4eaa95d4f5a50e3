"""Text that variants are made with and not judged on: to measure ranges on, and to search on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from edgener_runtime.errors import UserInputError

from .inspect import check_disjoint
from .read import DataSpec, read_split
from .types import Dataset, Sentence

SHARE = 1000  # sentences of the train split


VALID = "valid"


def calibration_text(spec: DataSpec, source: str | None, judged: Dataset) -> Dataset:
    """All of `source`, read as `spec` says, or a share of the train split that leaves out what `judged` repeats.

    Raises UserInputError where it cannot be read, or a sentence of `source` stands in `judged`.
    """
    if source is not None:
        named = read_split(replace(spec, source=source, cut=None), "train")
        check_disjoint(named, judged)
        return named
    train = _unseen(read_split(spec, "train"), judged)
    return replace(train, sentences=tuple(representative(train.sentences, SHARE)))


def search_text(spec: DataSpec, judged: Dataset) -> Dataset:
    """The valid split without what `judged` repeats.

    Raises UserInputError where there is none, or it is the judged one.
    """
    valid = _unseen(read_split(spec, VALID), judged)
    if not valid.sentences:
        raise UserInputError(
            f"{spec.source} has no text to search on beside the one that is judged",
            "Name data with a valid and a test split, a plan of an earlier search (--plan), or other variants.",
        )
    return valid


def _unseen(dataset: Dataset, judged: Dataset) -> Dataset:
    """Without the sentences that `judged` has too."""
    seen = {sentence.text for sentence in judged.sentences}
    return replace(dataset, sentences=tuple(sentence for sentence in dataset.sentences if sentence.text not in seen))


def representative(sentences: Sequence[Sentence], count: int) -> list[Sentence]:
    """At most `count` sentences with different texts, in their order, whose lengths are spread as those of all."""
    different = list({sentence.text: sentence for sentence in sentences}.values())
    if len(different) <= count:
        return different
    by_length = sorted(range(len(different)), key=lambda index: (len(different[index].text), index))
    chosen = {by_length[(2 * i + 1) * len(different) // (2 * count)] for i in range(count)}
    return [sentence for index, sentence in enumerate(different) if index in chosen]

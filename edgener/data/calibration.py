"""Text to build variants with, apart from the text that judges them: for activation ranges and for a search."""

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
    """All of `source`, read with the options of `spec`, or a share of the train split without sentences of `judged`.

    Raises UserInputError where it cannot be read, or `judged` has a sentence of `source`.
    """
    if source is not None:
        named = read_split(replace(spec, source=source, cut=None, map_labels=()), "train")
        check_disjoint(named, judged)
        return named
    train = unseen(read_split(spec, "train"), judged)
    return replace(train, sentences=tuple(representative(train.sentences, SHARE)))


def search_text(spec: DataSpec, judged: Dataset) -> Dataset:
    """The valid split without sentences of `judged`.

    Raises UserInputError where there is none, or it is the judged one.
    """
    valid = unseen(read_split(spec, VALID), judged)
    if not valid.sentences:
        raise UserInputError(
            f"{spec.source} has no text to search on besides the judged text",
            "Name data with a valid and a test split, a plan of an earlier search (--plan), or other variants.",
        )
    return valid


def unseen(dataset: Dataset, judged: Dataset) -> Dataset:
    """The data set without the sentences of `judged`."""
    seen = {sentence.text for sentence in judged.sentences}
    return replace(dataset, sentences=tuple(sentence for sentence in dataset.sentences if sentence.text not in seen))


def representative(sentences: Sequence[Sentence], count: int) -> list[Sentence]:
    """At most `count` sentences with different texts, in order, with the distribution of lengths of all."""
    different = list({sentence.text: sentence for sentence in sentences}.values())
    if len(different) <= count:
        return different
    by_length = sorted(range(len(different)), key=lambda index: (len(different[index].text), index))
    chosen = {by_length[(2 * i + 1) * len(different) // (2 * count)] for i in range(count)}
    return [sentence for index, sentence in enumerate(different) if index in chosen]

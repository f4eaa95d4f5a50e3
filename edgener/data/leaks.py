"""Sentences that stand twice, within a split or in two."""

from __future__ import annotations

from edgener_runtime.errors import UserInputError

from .types import Dataset


def repeats(dataset: Dataset) -> int:
    """How many sentences stand earlier in the same split already, with the same annotation."""
    return len(dataset.sentences) - len({(sentence.text, sentence.spans) for sentence in dataset.sentences})


def overlap(one: Dataset, other: Dataset) -> int:
    """How many different sentences stand in both."""
    return len(_texts(one) & _texts(other))


def check_disjoint(one: Dataset, other: Dataset) -> None:
    """Raises UserInputError where a sentence stands in both."""
    if shared := _texts(one) & _texts(other):
        raise UserInputError(
            f"{len(shared)} sentences stand both in {one.source} ({one.split}) and in {other.source} ({other.split}), "
            f"such as {min(shared)[:60]!r}",
            "Leave them out of one of the two.",
        )


def _texts(dataset: Dataset) -> set[str]:
    return {sentence.text for sentence in dataset.sentences if sentence.text}

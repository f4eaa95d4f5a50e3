"""What a classifier finds, and how it is to be told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from edgener_runtime.errors import UserInputError

from .offsets import OFFSETS

AGGREGATIONS = ("none", "simple", "first", "average", "max")


@dataclass(frozen=True)
class Entity:
    """An entity of a text: label, first and past-the-end character, score (0 to 1) and `text[start:end]`."""

    label: str
    start: int
    end: int
    score: float
    text: str


@dataclass(frozen=True)
class Decoding:
    """How labels of subwords become entities.

    `aggregation` is as in transformers: none (subwords), simple (subwords grouped), first, average and max (words
    grouped, labelled by their first, mean or surest subword). `strict` takes the likeliest labels that IOB2 allows
    instead of the likeliest of each. An entity whose score is below that of its label in `thresholds` is left out.
    `offsets` counts starts and ends in characters, `utf8` bytes or `utf16` units. Raises UserInputError for others.
    """

    aggregation: str = "simple"
    strict: bool = False
    thresholds: Mapping[str, float] = field(default_factory=dict)
    offsets: str = "characters"

    def __post_init__(self) -> None:
        _one_of("aggregation", self.aggregation, AGGREGATIONS)
        _one_of("offsets", self.offsets, OFFSETS)
        for label, least in self.thresholds.items():
            if not 0 <= least <= 1:
                raise UserInputError(f"the threshold of {label} is {least}, expected a score from 0 to 1")


def _one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise UserInputError(f"there is no {name} {value!r}", f"Choose one of: {', '.join(known)}")


PLAIN = Decoding()

"""Entities, and the options of decoding them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from edgener_runtime.errors import UserInputError

from .offsets import OFFSETS

AGGREGATIONS = ("none", "simple", "first", "average", "max")


@dataclass(frozen=True)
class Entity:
    """An entity of a text: label, start and end (exclusive) in characters, score (0 to 1) and `text[start:end]`."""

    label: str
    start: int
    end: int
    score: float
    text: str


@dataclass(frozen=True)
class Decoding:
    """Options of decoding: how the labels of subwords become entities.

    `aggregation` is as in transformers: none (subwords), simple (grouped subwords), first, average and max (grouped
    words, labelled by their first, mean or most confident subword); None stands for the bundle's. `strict` uses the
    most likely sequence of labels that the model's label scheme allows, instead of the most likely label of each piece.
    Entities with a score below that of their label in `thresholds` are omitted; None stands for the thresholds of the
    bundle, an empty mapping for none. `offsets` is the unit of start and end: characters, `utf8` bytes or `utf16`
    units. Raises UserInputError for others.
    """

    aggregation: str | None = None
    strict: bool = False
    thresholds: Mapping[str, float] | None = None
    offsets: str = "characters"

    def __post_init__(self) -> None:
        if self.aggregation is not None:
            _one_of("aggregation", self.aggregation, AGGREGATIONS)
        _one_of("offsets", self.offsets, OFFSETS)
        for label, score in (self.thresholds or {}).items():
            if not 0 <= score <= 1:
                raise UserInputError(f"the threshold of {label} is {score}, expected a score from 0 to 1")


@dataclass(frozen=True)
class ScoreSettings:
    """How a bundle scores its entities: what `edgener thresholds` found on validation text.

    Logits are divided by `temperature` before the softmax that gives a score; which labels are the most likely does not
    depend on it. `thresholds`, and the `aggregation` that they hold for, are used where a Decoding has None.
    """

    temperature: float = 1.0
    thresholds: dict[str, float] = field(default_factory=dict)
    aggregation: str = "simple"

    def completed(self, decoding: Decoding) -> Decoding:
        """A decoding with these settings in place of None."""
        if decoding.aggregation is not None and decoding.thresholds is not None:
            return decoding
        thresholds = self.thresholds if decoding.thresholds is None else decoding.thresholds
        return replace(decoding, aggregation=decoding.aggregation or self.aggregation, thresholds=thresholds)


def _one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise UserInputError(f"there is no {name} {value!r}", f"Choose one of: {', '.join(known)}")


PLAIN = Decoding()
AS_TRAINED = ScoreSettings()

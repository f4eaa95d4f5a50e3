"""Thresholds: for each label the lowest score above which entities are as precise as asked, shown by enough examples.

A share of few examples is easily high by chance: 20 of 20 also come from a precision of 0.86 in one case of twenty. So
a threshold counts only where the exact one-sided 95 % interval of the precision (Clopper and Pearson, 1934) lies at or
above what was asked for: at a lower precision, so many right ones would be found in at most 5 % of all cases.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist

from .predictions import ScoredEntity

LEVEL = 0.95
_UNIT = 10_000  # of thresholds: four digits
_STEPS = 30


@dataclass(frozen=True)
class Detection:
    """How well entities of a label are found: `correct` of `found` are right, and of `gold` there are that many."""

    found: int
    correct: int
    gold: int

    @property
    def precision(self) -> float | None:
        """The share of the found ones that is right; None where none is found."""
        return self.correct / self.found if self.found else None

    @property
    def recall(self) -> float | None:
        """The share of the gold ones that is found; None without gold ones."""
        return self.correct / self.gold if self.gold else None

    def __add__(self, other: Detection) -> Detection:
        return Detection(self.found + other.found, self.correct + other.correct, self.gold + other.gold)


@dataclass(frozen=True)
class Choice:
    """The threshold of a label; 0 where all entities are precise enough, None where none is shown to be, with `why`."""

    threshold: float | None
    why: str = ""
    too_few: bool = False


def detection(entities: Sequence[ScoredEntity], label: str, gold: int, threshold: float = 0.0) -> Detection:
    """The detection of a label's entities with at least this score."""
    kept = [entity.correct for entity in entities if entity.label == label and entity.score >= threshold]
    return Detection(len(kept), sum(kept), gold)


def choose_threshold(entities: Sequence[ScoredEntity], label: str, precision: float) -> Choice:
    """The lowest threshold, rounded down to four digits, whose entities on validation text show the precision."""
    own = sorted((entity for entity in entities if entity.label == label), key=lambda entity: entity.score)
    needed = fewest_examples(precision)
    if len(own) < needed:
        return Choice(None, f"{_entities(len(own))} found, and {needed} are needed even if all are right", True)
    for threshold, found, correct in _candidates(own):
        if shows(found, correct, precision):
            return Choice(threshold)
    _, found, correct = max(_candidates(own), key=lambda candidate: _wilson(*candidate[1:]))
    least = lower_end(found, correct)
    return Choice(None, f"at best {correct} of {found} entities are right, which shows a precision of {least:.4f}")


def _candidates(ordered: Sequence[ScoredEntity]) -> Iterator[tuple[float, int, int]]:
    """Each threshold from 0 on, with the number of entities at or above it, and of those that are right.

    Thresholds are scores, rounded down: with each, all entities count that a device would return.
    """
    correct = sum(entity.correct for entity in ordered)
    yield 0.0, len(ordered), correct
    before = 0.0
    for number, entity in enumerate(ordered):
        threshold = math.floor(entity.score * _UNIT) / _UNIT
        if threshold > before:
            yield threshold, len(ordered) - number, correct
            before = threshold
        correct -= entity.correct


def fewest_examples(precision: float) -> int:
    """The number of entities that show a precision where all of them are right."""
    return math.ceil(math.log(1 - LEVEL) / math.log(precision) - 1e-9)


def shows(found: int, correct: int, precision: float) -> bool:
    """Whether the one-sided 95 % interval of a share begins at or above a precision."""
    return correct >= found * precision and tail(found, correct, precision) <= 1 - LEVEL


def lower_end(found: int, correct: int) -> float:
    """The lower end of the exact one-sided 95 % interval of a share, rounded down."""
    low, high = 0.0, correct / found
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if tail(found, correct, middle) > 1 - LEVEL else (middle, high)
    return math.floor(low * _UNIT) / _UNIT


def _wilson(found: int, correct: int) -> float:
    """Nearly the same lower end in one step, to find the best of many shares."""
    z, share = NormalDist().inv_cdf(LEVEL), correct / found
    spread = z * math.sqrt(share * (1 - share) / found + (z / (2 * found)) ** 2)
    return float((share + z**2 / (2 * found) - spread) / (1 + z**2 / found))


def tail(count: int, least: int, share: float) -> float:
    """The probability that at least `least` of `count` are right where each is with the probability `share`."""
    if not 0 < share < 1:
        return float(share >= 1 or least <= 0)
    log, rest = math.log(share), math.log1p(-share)
    whole = math.lgamma(count + 1)
    return math.fsum(
        math.exp(whole - math.lgamma(wrong + 1) - math.lgamma(count - wrong + 1) + wrong * rest + (count - wrong) * log)
        for wrong in range(count - least + 1)
    )


def _entities(count: int) -> str:
    return "1 entity is" if count == 1 else f"{count} entities are"

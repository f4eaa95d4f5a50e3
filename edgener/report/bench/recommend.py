"""What to put on a device: the fastest that surely keeps stated bounds. The page says the same in its script."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgener_runtime.commissioning.bench.results.record import Interval

KEEPS, MAY, BREAKS = "keeps", "may", "breaks"
_SAME = 1e-12


@dataclass(frozen=True)
class Bounds:
    """What must be kept: the 99th percentile in ms, and entity F1 below the reference's; None where anything may be."""

    max_p99_ms: float | None = None
    max_f1_drop: float | None = None

    def words(self, one_by_one: bool = True) -> str:
        """The bounds as people state them; that on p99 only where queries come `one_by_one`."""
        parts = []
        if self.max_p99_ms is not None and one_by_one:
            parts.append(f"p99 under {self.max_p99_ms:g} ms")
        if self.max_f1_drop is not None:
            parts.append(f"F1 within {self.max_f1_drop:g}")
        return ", ".join(parts) or "without a bound"


@dataclass(frozen=True)
class Candidate:
    """Something to choose: its figure (less is better), its p99 where its scenario has queries one by one, the F1 it
    lost where that is known, and what people are told of it."""

    name: str
    cost: float
    p99_ms: Interval | None
    f1_lost: float | None
    told: str
    doubtful: bool = False


@dataclass(frozen=True)
class Recommendation:
    """What is recommended for a work on a machine: a sentence, and the name of the choice or None."""

    title: str
    sentence: str
    choice: str | None = None


def recommend(title: str, candidates: Sequence[Candidate], bounds: Bounds) -> Recommendation:
    """The fastest candidate that keeps the bounds with its whole interval; else what may, or that none does."""
    asked = bounds.words(not candidates or any(candidate.p99_ms for candidate in candidates))
    for verdict, words in ((KEEPS, ""), (MAY, "cannot be told, nearest is ")):
        if found := [candidate for candidate in candidates if kept(candidate, bounds) == verdict]:
            best = min(found, key=lambda candidate: candidate.cost)
            doubt = "; its figures are marked" if best.doubtful else ""
            sentence = f"{asked}: {words}{best.name} ({best.told}{doubt})"
            return Recommendation(title, sentence, best.name if verdict == KEEPS else None)
    return Recommendation(title, f"{asked}: nothing here keeps that")


def kept(candidate: Candidate, bounds: Bounds) -> str:
    """Whether a candidate keeps the bounds, breaks one, or may do either. An F1 that is not known keeps no bound."""
    if bounds.max_f1_drop is not None and (candidate.f1_lost is None or candidate.f1_lost > bounds.max_f1_drop + _SAME):
        return BREAKS
    if bounds.max_p99_ms is None or candidate.p99_ms is None or candidate.p99_ms.high <= bounds.max_p99_ms:
        return KEEPS
    return BREAKS if candidate.p99_ms.low > bounds.max_p99_ms else MAY

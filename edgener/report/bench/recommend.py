"""Recommendations: the fastest candidate that surely meets stated bounds. The page's script computes the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgener_runtime.commissioning.bench.results.record import Interval

MEETS, MAY_MEET, MISSES = "meets", "may meet", "misses"
_SAME = 1e-12


@dataclass(frozen=True)
class Bounds:
    """The largest 99th percentile in ms, and the largest loss of entity F1; None where there is no bound."""

    max_p99_ms: float | None = None
    max_f1_drop: float | None = None

    def words(self, one_by_one: bool = True) -> str:
        """The bounds in words, empty where there is none; that on p99 only where queries come `one_by_one`."""
        parts = []
        if self.max_p99_ms is not None and one_by_one:
            parts.append(f"p99 under {self.max_p99_ms:g} ms")
        if self.max_f1_drop is not None:
            parts.append(f"F1 within {self.max_f1_drop:g}")
        return ", ".join(parts)


@dataclass(frozen=True)
class BenchCandidate:
    """A measured row that can be recommended.

    `cost` is its figure (less is better), `p99_ms` is None where all texts are one query, `f1_lost` is None where it is
    not known, `summary` has its figures in words, and `doubtful` rows have a warning.
    """

    name: str
    cost: float
    p99_ms: Interval | None
    f1_lost: float | None
    summary: str
    doubtful: bool = False


@dataclass(frozen=True)
class Recommendation:
    """The recommendation for a work on a machine: a sentence, and the name of the choice or None."""

    title: str
    sentence: str
    choice: str | None = None


def recommend(title: str, candidates: Sequence[BenchCandidate], bounds: Bounds) -> Recommendation:
    """The fastest candidate that meets the bounds with its whole interval; else one that may, or that none does."""
    verdict, best, asked = _best(candidates, bounds)
    asked = asked or "without a bound"
    if best is None:
        return Recommendation(title, f"{asked}: nothing here keeps that")
    words = "" if verdict == MEETS else "uncertain, the nearest is "
    choice = best.name if verdict == MEETS else None
    return Recommendation(title, f"{asked}: {words}{best.name} ({_figures(best)})", choice)


def advise(candidates: Sequence[BenchCandidate], bounds: Bounds) -> str:
    """The same as the sentence that a page shows."""
    verdict, best, asked = _best(candidates, bounds)
    if best is None:
        return f"Nothing here meets {asked}." if asked else "There is no row to recommend."
    if verdict == MAY_MEET:
        return f"Nothing surely meets {asked}; the nearest is {best.name}: {_figures(best)}."
    return f"Recommended: {best.name}, the fastest{f' with {asked}' if asked else ''}: {_figures(best)}."


def meets(candidate: BenchCandidate, bounds: Bounds) -> str:
    """Whether a candidate meets the bounds, misses one, or may do either. An unknown F1 meets no bound on it."""
    if bounds.max_f1_drop is not None and (candidate.f1_lost is None or candidate.f1_lost > bounds.max_f1_drop + _SAME):
        return MISSES
    if bounds.max_p99_ms is None or candidate.p99_ms is None or candidate.p99_ms.high <= bounds.max_p99_ms:
        return MEETS
    return MISSES if candidate.p99_ms.low > bounds.max_p99_ms else MAY_MEET


def _best(candidates: Sequence[BenchCandidate], bounds: Bounds) -> tuple[str, BenchCandidate | None, str]:
    """The verdict on the best candidate, the candidate, and the bounds in words."""
    asked = bounds.words(not candidates or any(candidate.p99_ms for candidate in candidates))
    for verdict in (MEETS, MAY_MEET):
        if found := [candidate for candidate in candidates if meets(candidate, bounds) == verdict]:
            return verdict, min(found, key=lambda candidate: candidate.cost), asked
    return MISSES, None, asked


def _figures(candidate: BenchCandidate) -> str:
    return candidate.summary + ("; its figures are marked" if candidate.doubtful else "")

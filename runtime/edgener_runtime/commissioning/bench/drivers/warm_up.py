"""Warm-up: the same queries again and again until they get no faster."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from .load import System

_NO_FASTER = 0.98  # times the best pass before: a pass that takes longer counts as no faster
_LEAST_PASSES = 3
_QUERIES = 8
_TOGETHER = 64  # texts of a query in a scenario with one query


@dataclass(frozen=True)
class WarmedUp:
    """The seconds of the warm-up, and the seconds of a query in its best pass."""

    seconds: float
    query_seconds: float


def warm_up(system: System, queries: Sequence[Sequence[int]], most: float) -> WarmedUp:
    """Run the queries until a pass does not beat the best before it, or `most` seconds are over; at least once."""
    begin = time.perf_counter()
    took: list[float] = []
    while not (took and _is_over(took, time.perf_counter() - begin, most)):
        start = time.perf_counter()
        for query in queries:
            system.answer(query)
        took.append(time.perf_counter() - start)
    return WarmedUp(time.perf_counter() - begin, min(took) / len(queries))


def queries_of(scenario: str, texts: int, samples_per_query: int) -> list[list[int]]:
    """Queries like those of a scenario, with texts spread over all of them."""
    together = {"multi-stream": samples_per_query, "offline": min(texts, _TOGETHER)}.get(scenario, 1)
    count = max(1, min(_QUERIES, texts) // together)
    return [[(query * together + i) * texts // (count * together) for i in range(together)] for query in range(count)]


def _is_over(took: Sequence[float], seconds: float, most: float) -> bool:
    steady = len(took) >= _LEAST_PASSES and took[-1] >= _NO_FASTER * min(took[:-1])
    return steady or seconds >= most

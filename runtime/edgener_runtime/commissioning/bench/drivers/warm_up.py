"""Warming up: the same queries over and over until they get no faster."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from .load import System

_NO_FASTER = 0.98  # a pass that takes more than this share of the best before it
_LEAST_PASSES = 3
_QUERIES = 8
_TOGETHER = 64  # texts of one query of a scenario that has all in one


@dataclass(frozen=True)
class WarmedUp:
    """The seconds that it took, and those that a query took at best."""

    seconds: float
    query_seconds: float


def warm_up(system: System, queries: Sequence[Sequence[int]], most: float) -> WarmedUp:
    """Pass over the queries until a pass is no faster than the best before it, or `most` seconds are over; once at
    least."""
    begun = time.perf_counter()
    took: list[float] = []
    while not (took and _is_over(took, time.perf_counter() - begun, most)):
        start = time.perf_counter()
        for query in queries:
            system.answer(query)
        took.append(time.perf_counter() - start)
    return WarmedUp(time.perf_counter() - begun, min(took) / len(queries))


def queries_of(scenario: str, texts: int, samples_per_query: int) -> list[list[int]]:
    """Queries like those of a scenario, of texts that are spread over all."""
    together = {"multi-stream": samples_per_query, "offline": min(texts, _TOGETHER)}.get(scenario, 1)
    count = max(1, min(_QUERIES, texts) // together)
    return [[(query * together + i) * texts // (count * together) for i in range(together)] for query in range(count)]


def _is_over(took: Sequence[float], seconds: float, most: float) -> bool:
    steady = len(took) >= _LEAST_PASSES and took[-1] >= _NO_FASTER * min(took[:-1])
    return steady or seconds >= most

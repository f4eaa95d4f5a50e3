"""Rounds in which variants take turns, so that what else the machine does meets all alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence

from edgener_runtime.commissioning.bench.results.statistics import LEAST_ROUNDS

TURN = 0.02  # seconds that a text of one length is run in a turn, at least once


def rounds(seconds: float, least: int = LEAST_ROUNDS) -> Iterator[int]:
    """The numbers of rounds from 0 on until the time is used up, at least `least` of them."""
    end, number = time.monotonic() + seconds, 0
    while number < least or time.monotonic() < end:
        yield number
        number += 1


def turn(names: Collection[str], number: int) -> list[str]:
    """The order of a round: every second one is reversed, so that none always follows the same other."""
    return [*names][:: -1 if number % 2 else 1]


def share(texts: Sequence[str], number: int, parts: int) -> Sequence[str]:
    """The texts of a round: every `parts`-th, so that `parts` rounds have all of them."""
    return texts[number % parts :: parts] or texts[:1]


def seconds_of(run: Callable[..., object], *arguments: object) -> float:
    """How long a call takes."""
    start = time.perf_counter()
    run(*arguments)
    return time.perf_counter() - start


def milliseconds(run: Callable[[str], object], texts: Sequence[str], number: int) -> float:
    """The mean of the runs of one turn, after one that fetches the weights again."""
    run(texts[number % len(texts)])
    start, count = time.perf_counter(), 0
    while not count or time.perf_counter() - start < TURN:
        run(texts[(number + count) % len(texts)])
        count += 1
    return 1000 * (time.perf_counter() - start) / count

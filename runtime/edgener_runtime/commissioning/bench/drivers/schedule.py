"""The schedule of a load: which texts are sent and when, drawn as MLPerf's load generator does from a seed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from math import log
from random import Random

from edgener_runtime.errors import UserInputError

from .load import Load, System
from .scenarios import SCENARIOS

_ENOUGH = 1 / 8  # of the requested seconds, to estimate how fast texts are answered
_SHORTEST = 1.0  # seconds of offline's one query; a shorter one is mostly start and end, with idle cores


def checked(load: Load) -> Load:
    """The load. Raises UserInputError if it is invalid."""
    if load.scenario not in SCENARIOS:
        raise UserInputError(f"there is no scenario {load.scenario!r}", f"Choose among {', '.join(SCENARIOS)}.")
    for name in ("texts", "seconds", "samples_per_query", "least", "together", "patience"):
        if not getattr(load, name) > 0:
            raise UserInputError(f"{name} is {getattr(load, name)}, expected more than 0")
    if load.scenario == "server" and not (load.rate and load.rate > 0):
        raise UserInputError(f"the rate of a server is {load.rate}, expected queries per second")
    return load


def sized(system: System, load: Load) -> Load:
    """The load with an estimate of the texts per second that the system answers; runs it for some of its seconds.

    A server's load needs none.
    """
    if load.expected is not None or load.scenario == "server":
        return load
    enough = load.seconds * _ENOUGH
    estimate = _together(system, load, enough) if load.scenario == "offline" else _in_turns(system, load, enough)
    return replace(load, expected=estimate)


def _together(system: System, load: Load, enough: float) -> float:
    """Texts per second of the first query that takes long enough; each has twice as many as the one before."""
    chance, count = Random(load.seed), 1
    while True:
        start = time.perf_counter()
        system.answer([_below(load.texts, chance) for _ in range(count)])
        if (taken := time.perf_counter() - start) >= enough:
            return count / taken
        count *= 2


def _in_turns(system: System, load: Load, enough: float) -> float:
    """Texts per second of one query after the other."""
    start, count, taken, upcoming = time.perf_counter(), 0, 0.0, queries(load)
    while taken < enough:
        query = next(upcoming)
        system.answer(query)
        count += len(query)
        taken = time.perf_counter() - start
    return count / taken


def queries(load: Load) -> Iterator[list[int]]:
    """The texts of each query, without end; a query of several takes neighbours in a shuffled order."""
    chance = Random(load.seed)
    order = _shuffled(load.texts, chance)
    several = load.samples_per_query if load.scenario == "multi-stream" else 1
    while True:
        first = _below(load.texts, chance)
        yield [order[(first + index) % load.texts] for index in range(several)]


def arrivals(load: Load) -> Iterator[float]:
    """The due times of a server's queries in seconds from the start: a Poisson process, the first one at once.

    Ends with the seconds of the load, but not before its least number of queries.
    """
    rate = load.rate or 0.0
    chance = Random(load.seed + 1)
    due, count = 0.0, 0
    while due < load.seconds or count < load.least:
        yield due
        due -= log(1.0 - chance.random()) / rate
        count += 1


def everything(load: Load) -> list[int]:
    """The texts of offline's one query: a shuffled order, repeated to fill about the seconds of the load.

    More than one pass means whole passes, so that no text has more weight than another.
    """
    count = offline_count(load)
    order = _shuffled(load.texts, Random(load.seed))
    return [order[index % load.texts] for index in range(count)]


def offline_count(load: Load) -> int:
    """The number of texts that fill the seconds of a sized load, and at least one second."""
    requested = max(load.least, round((load.expected or 0.0) * max(load.seconds, _SHORTEST)))
    return requested if requested < load.texts else load.texts * max(1, round(requested / load.texts))


def most_waiting(load: Load) -> int:
    """How many queries may wait in a server before the load fails; a few always may."""
    return max(8, round((load.rate or 0.0) * load.patience))


def _below(bound: int, chance: Random) -> int:
    """A number from 0; only `random` of Random is guaranteed to be the same in every version of Python."""
    return int(chance.random() * bound)


def _shuffled(count: int, chance: Random) -> list[int]:
    return sorted(range(count), key=[chance.random() for _ in range(count)].__getitem__)

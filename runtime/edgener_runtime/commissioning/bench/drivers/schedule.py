"""Which texts are sent, when and how many, drawn as MLPerf's load generator does; the same seed draws the same."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from math import log
from random import Random

from edgener_runtime.errors import UserInputError

from .load import Load, System
from .scenarios import SCENARIOS

_ENOUGH = 1 / 8  # of the seconds asked for, to estimate how fast texts are answered
_SHORTEST = 1.0  # seconds of offline's one query, else it is mostly a begin and an end, with cores that wait


def checked(load: Load) -> Load:
    """The load. Raises UserInputError where it cannot be driven."""
    if load.scenario not in SCENARIOS:
        raise UserInputError(f"there is no scenario {load.scenario!r}", f"Choose among {', '.join(SCENARIOS)}.")
    for name in ("texts", "seconds", "samples_per_query", "least", "together", "patience"):
        if not getattr(load, name) > 0:
            raise UserInputError(f"{name} is {getattr(load, name)}, expected more than 0")
    if load.scenario == "server" and not (load.rate and load.rate > 0):
        raise UserInputError(f"the rate of a server is {load.rate}, expected queries a second")
    return load


def sized(system: System, load: Load) -> Load:
    """The load with an estimate of the texts a second that the system answers; runs it for some of its seconds.

    A server's needs none.
    """
    if load.expected is not None or load.scenario == "server":
        return load
    enough = load.seconds * _ENOUGH
    estimate = _together(system, load, enough) if load.scenario == "offline" else _in_turns(system, load, enough)
    return replace(load, expected=estimate)


def _together(system: System, load: Load, enough: float) -> float:
    """Texts a second of the first query that takes long enough, each having twice as many as the one before."""
    chance, count = Random(load.seed), 1
    while True:
        begun = time.perf_counter()
        system.answer([_below(load.texts, chance) for _ in range(count)])
        if (taken := time.perf_counter() - begun) >= enough:
            return count / taken
        count *= 2


def _in_turns(system: System, load: Load, enough: float) -> float:
    """Texts a second of one query after the other."""
    begun, count, taken, drawn = time.perf_counter(), 0, 0.0, queries(load)
    while taken < enough:
        query = next(drawn)
        system.answer(query)
        count += len(query)
        taken = time.perf_counter() - begun
    return count / taken


def queries(load: Load) -> Iterator[list[int]]:
    """The texts of one query after the other, without end; a query of several takes neighbours in a shuffled order."""
    chance = Random(load.seed)
    order = _shuffled(load.texts, chance)
    several = load.samples_per_query if load.scenario == "multi-stream" else 1
    while True:
        first = _below(load.texts, chance)
        yield [order[(first + index) % load.texts] for index in range(several)]


def arrivals(load: Load) -> Iterator[float]:
    """When a server's queries are due, in seconds from the start: a Poisson process, the first at once.

    Ends with the seconds of the load, though not before its least queries.
    """
    rate = load.rate or 0.0
    chance = Random(load.seed + 1)
    due, count = 0.0, 0
    while due < load.seconds or count < load.least:
        yield due
        due -= log(1.0 - chance.random()) / rate
        count += 1


def everything(load: Load) -> list[int]:
    """The texts of the one query of offline: a shuffled order over and over, as many as take about the seconds.

    More than all of them are whole passes, so that no text weighs more than another.
    """
    count = offline_count(load)
    order = _shuffled(load.texts, Random(load.seed))
    return [order[index % load.texts] for index in range(count)]


def offline_count(load: Load) -> int:
    """How many texts take about the seconds of a load that is sized, and a second at least."""
    wanted = max(load.least, round((load.expected or 0.0) * max(load.seconds, _SHORTEST)))
    return wanted if wanted < load.texts else load.texts * max(1, round(wanted / load.texts))


def most_waiting(load: Load) -> int:
    """How many queries may wait in a server before it is given up; a few may always."""
    return max(8, round((load.rate or 0.0) * load.patience))


def _below(bound: int, chance: Random) -> int:
    """A number from 0; of Random only `random` is promised to stay the same in every version of Python."""
    return int(chance.random() * bound)


def _shuffled(count: int, chance: Random) -> list[int]:
    return sorted(range(count), key=[chance.random() for _ in range(count)].__getitem__)

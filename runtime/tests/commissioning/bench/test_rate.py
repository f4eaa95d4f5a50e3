"""The search finds the highest rate that keeps a bound, through noise, and says so where there is none."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from itertools import pairwise
from random import Random

import numpy as np
import pytest

from edgener_runtime.commissioning.bench.drivers.choose import DRIVERS
from edgener_runtime.commissioning.bench.drivers.load import Driven, Load, OverrunError, System
from edgener_runtime.commissioning.bench.drivers.rate import TRIALS, highest_rate
from edgener_runtime.commissioning.bench.drivers.schedule import arrivals, most_waiting
from edgener_runtime.errors import DeviceError

LOAD = Load("server", 10, 4.0, together=1)
BOUND_MS = 50.0
SERVICE = 0.010  # seconds per text, one after the other


class Nothing:
    """Not asked: what drives in these tests works out how a system would wait."""

    def answer(self, texts: Sequence[int]) -> None:
        raise AssertionError(texts)


class Queue:
    """A driver of no time: the waits of an M/D/1 queue, worked out; now and then the machine stops for a moment."""

    def __init__(self, service: float = SERVICE, stops: float = 0.0) -> None:
        self.service, self.stops, self.chance = service, stops, Random(5)
        self.rates: list[float] = []

    def __call__(self, system: System, load: Load) -> Driven:
        self.rates.append(load.rate or 0)
        times = list(arrivals(load))
        stop = self.chance.random() < self.stops
        wait, taken = 0.0, [self.service]
        for number, (before, now) in enumerate(pairwise(times)):
            wait = max(0.0, wait + self.service - (now - before)) + (0.2 if stop and number == len(times) // 2 else 0)
            taken.append(wait + self.service)
            if wait / self.service > most_waiting(load):
                raise OverrunError("they come faster than they are answered")
        return Driven(1000 * np.array(taken), times[-1] + taken[-1], len(times))


@cache
def truth() -> float:
    """The rate whose 99th percentile is the bound, of a queue that runs for half an hour."""
    rates = np.linspace(60, 85, 6)
    loads = [Load("server", 10, 1800.0, rate=rate, together=1, patience=99) for rate in rates]
    ends = [np.quantile(Queue()(Nothing(), load).milliseconds, 0.99) for load in loads]
    return float(np.interp(BOUND_MS, ends, rates))


@pytest.mark.parametrize("guess", [5.0, 60.0, 80.0, 400.0])
def test_the_rate_is_found_from_wherever_it_begins(guess: float) -> None:
    queue = Queue()
    loads = [Load("server", 10, 30.0, together=1, seed=seed) for seed in range(3)]
    found = [highest_rate(queue, Nothing(), load, BOUND_MS, guess)[0] for load in loads]
    assert np.median(found) == pytest.approx(truth(), rel=0.08)


def test_a_fair_guess_takes_few_trials() -> None:
    queues = [Queue() for _ in range(9)]
    for seed, queue in enumerate(queues):
        highest_rate(queue, Nothing(), replace(LOAD, seed=seed), BOUND_MS, 60.0)
    assert np.median([len(queue.rates) for queue in queues]) <= TRIALS


def test_what_is_kept_was_seen_to_hold() -> None:
    queue = Queue()
    rate, driven = highest_rate(queue, Nothing(), LOAD, BOUND_MS, 70.0)
    assert queue.rates[-1] == rate
    assert (driven.milliseconds > BOUND_MS).mean() <= 0.01


def test_a_machine_that_stops_now_and_then_is_not_a_slow_server() -> None:
    found = [highest_rate(Queue(stops=0.15), Nothing(), LOAD, BOUND_MS, 60.0)[0] for _ in range(5)]
    assert np.median(found) == pytest.approx(truth(), rel=0.15)


def test_a_bound_that_nothing_keeps_is_said_at_once() -> None:
    queue = Queue(service=0.06)
    with pytest.raises(DeviceError, match="no rate stays within the bound of 50 ms") as raised:
        highest_rate(queue, Nothing(), LOAD, BOUND_MS, 2.0)
    assert len(queue.rates) == 1 and "--bound" in (raised.value.hint or "")


def test_an_overrun_is_a_rate_that_does_not_hold() -> None:
    queue = Queue()
    rate, _ = highest_rate(queue, Nothing(), LOAD, BOUND_MS, 5000.0)
    assert 40 < rate < 100


@pytest.mark.timing
@pytest.mark.parametrize("name", DRIVERS)
def test_a_real_queue_is_searched(name: str) -> None:
    """In a few seconds and through sleeps: between half of what one at a time would be, and all of it."""
    pytest.importorskip("mlperf_loadgen") if name == "loadgen" else None

    class Steady:
        def answer(self, texts: Sequence[int]) -> None:
            time.sleep(0.002)

    load = Load("server", 10, 0.4, together=1)
    rate, driven = highest_rate(DRIVERS[name], Steady(), load, 15.0, 300.0)
    assert 150 < rate < 500
    assert len(driven.milliseconds) == driven.texts >= 100

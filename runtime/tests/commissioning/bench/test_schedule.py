"""Draws: the same for the same seed everywhere, fair to every text, and at the rate that was asked for."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice, pairwise

import pytest

from edgener_runtime.commissioning.bench.drivers.load import Load
from edgener_runtime.commissioning.bench.drivers.schedule import (
    arrivals,
    everything,
    most_waiting,
    offline_count,
    queries,
)

pytestmark = pytest.mark.compat

LOAD = Load("multi-stream", 7, 1.0, samples_per_query=3, rate=5, seed=3, least=4, expected=14)


def test_who_repeats_a_run_elsewhere_sends_the_same() -> None:
    assert list(islice(queries(LOAD), 3)) == [[3, 4, 6], [5, 0, 2], [5, 0, 2]]
    assert [round(due, 4) for due in arrivals(LOAD)] == [0.0, 0.0539, 0.0756, 0.1765, 0.2102, 0.2239, 0.3266, 0.8267]
    assert everything(LOAD) == [6, 5, 0, 2, 1, 3, 4] * 2


def test_another_seed_sends_others() -> None:
    other = replace(LOAD, seed=4)
    assert list(islice(queries(LOAD), 9)) != list(islice(queries(other), 9))
    assert list(arrivals(LOAD)) != list(arrivals(other))
    assert everything(LOAD) != everything(other)


def test_a_query_of_several_takes_neighbours_of_one_order() -> None:
    follows: dict[int, set[int]] = {}
    for query in islice(queries(LOAD), 200):
        for one, next_one in pairwise(query):
            follows.setdefault(one, set()).add(next_one)
    assert sorted(follows) == list(range(7)) and {len(after) for after in follows.values()} == {1}


def test_offline_takes_whole_passes_of_more_than_all() -> None:
    for expected, count in ((1.0, 4), (5.0, 5), (6.9, 7), (11.0, 14), (10.0, 7), (70.0, 70)):
        assert offline_count(replace(LOAD, expected=expected)) == count
    assert offline_count(replace(LOAD, expected=None, least=3)) == 3
    assert offline_count(replace(LOAD, expected=14.0, seconds=0.1)) == 14  # a second at least
    assert offline_count(replace(LOAD, expected=14.0, seconds=5.0)) == 70
    assert sorted(everything(replace(LOAD, expected=70.0))) == sorted(list(range(7)) * 10)
    assert len(set(everything(replace(LOAD, expected=5.0)))) == 5


def test_arrivals_end_with_the_time_but_not_before_the_least() -> None:
    assert len(list(arrivals(replace(LOAD, rate=0.001)))) == 4
    times = list(arrivals(replace(LOAD, rate=1000, seconds=50.0)))
    assert times[0] == 0 and times[-1] < 50 and len(times) == pytest.approx(50_000, rel=0.02)


def test_a_queue_of_these_arrivals_is_as_in_theory() -> None:
    """M/D/1, one at a time at 60 % load: the mean wait is load * service / 2 / (1 - load)."""
    wait = total = 0.0
    times = list(arrivals(replace(LOAD, rate=1.0, seconds=200_000.0)))
    for before, now in pairwise(times):
        wait = max(0.0, wait + 0.6 - (now - before))
        total += wait
    assert total / len(times) == pytest.approx(0.6 * 0.6 / 2 / 0.4, rel=0.03)


def test_a_few_may_always_wait() -> None:
    assert most_waiting(replace(LOAD, rate=0.1)) == 8
    assert most_waiting(replace(LOAD, rate=100.0, patience=0.5)) == 50

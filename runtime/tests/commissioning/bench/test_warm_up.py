from __future__ import annotations

import time
from collections.abc import Sequence

import pytest

from edgener_runtime.commissioning.bench.drivers.warm_up import queries_of, warm_up

pytestmark = pytest.mark.timing


class Warming:
    """Each call is faster than the one before, until it is warm."""

    def __init__(self, seconds: Sequence[float]) -> None:
        self.seconds = list(seconds)
        self.calls = 0

    def answer(self, texts: Sequence[int]) -> None:
        time.sleep(self.seconds[min(self.calls, len(self.seconds) - 1)])
        self.calls += 1


def test_it_goes_on_while_passes_get_faster() -> None:
    cold = Warming([0.08, 0.06, 0.04, 0.02, 0.005])
    warm = warm_up(cold, [[0]], most=10.0)
    assert 6 <= cold.calls < 30
    assert 0.205 <= warm.seconds < 2 and 0.005 <= warm.query_seconds < 0.02


def test_it_ends_where_the_time_is_over() -> None:
    ever_faster = Warming([0.2 / (1 + step) for step in range(1000)])
    assert warm_up(ever_faster, [[0]], most=0.3).seconds < 1
    slow = Warming([0.1])
    warm_up(slow, [[0]], most=0.01)
    assert slow.calls == 1


@pytest.mark.parametrize(
    ("scenario", "texts", "together", "expected"),
    [
        ("single-stream", 64, 1, [[0], [8], [16], [24], [32], [40], [48], [56]]),
        ("server", 2, 1, [[0], [1]]),
        ("multi-stream", 64, 4, [[0, 8, 16, 24], [32, 40, 48, 56]]),
        ("multi-stream", 3, 8, [[0, 0, 0, 1, 1, 1, 2, 2]]),
        ("offline", 5, 1, [[0, 1, 2, 3, 4]]),
    ],
)
def test_queries_are_those_of_the_scenario_and_spread_over_all_texts(
    scenario: str, texts: int, together: int, expected: list[list[int]]
) -> None:
    assert queries_of(scenario, texts, together) == expected

"""The two laws against their definitions: the density of t summed up, and rank sums of groups that are enumerated."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest

from edgener_runtime.commissioning.bench.results.quantiles import rank_sum_margin, student_t


@pytest.mark.parametrize("degrees", [*range(1, 21), 21, 25, 40, 100])
def test_nineteen_in_twenty_lie_between_the_ends(degrees: int) -> None:
    scale = math.exp(math.lgamma((degrees + 1) / 2) - math.lgamma(degrees / 2)) / math.sqrt(degrees * math.pi)
    points, step = np.linspace(0, student_t(degrees), 200_001, retstep=True)
    density = scale * (1 + points**2 / degrees) ** (-(degrees + 1) / 2)
    assert 2 * step * (density.sum() - (density[0] + density[-1]) / 2) == pytest.approx(0.95, abs=2e-5)


@pytest.mark.parametrize(("first", "second"), [(1, 5), (3, 3), (3, 5), (4, 4), (5, 5), (5, 7), (6, 4)])
def test_what_is_dropped_is_the_most_that_leaves_95_in_100(first: int, second: int) -> None:
    sums = [sum(ranks) - sum(range(first)) for ranks in combinations(range(first + second), first)]
    margin, allowed = rank_sum_margin(first, second), 0.025 * len(sums)
    assert sum(found <= margin for found in sums) <= allowed < sum(found <= margin + 1 for found in sums)


def test_many_rounds_are_nearly_normal() -> None:
    """Whether they are counted or not."""
    assert rank_sum_margin(20, 20) == 127  # as in printed tables
    assert rank_sum_margin(21, 21) == pytest.approx(142, abs=1)
    assert rank_sum_margin(20, 60) == rank_sum_margin(60, 20)

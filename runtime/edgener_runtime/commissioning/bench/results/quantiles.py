"""Quantiles for intervals from few rounds: of Student's t, and of the rank sums of two groups."""

from __future__ import annotations

import math
from functools import cache

LEVEL = 0.95
_NORMAL = 1.959963984540054

# The 97.5th percentile of Student's t for 1, 2, 3 ... degrees of freedom.
_T = (
    12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281,
    2.2010, 2.1788, 2.1604, 2.1448, 2.1314, 2.1199, 2.1098, 2.1009, 2.0930, 2.0860,
)  # fmt: skip
_EXACT = 20  # groups up to this size are counted exactly, larger ones are nearly normal


def student_t(degrees: int) -> float:
    """The half-width of a 95 % interval in standard errors, for at least 1 degree of freedom."""
    if degrees <= len(_T):
        return _T[degrees - 1]
    z = _NORMAL  # Abramowitz and Stegun, 26.7.5
    first, second = (z**3 + z) / 4, (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / degrees + second / degrees**2 + third / degrees**3


@cache
def rank_sum_margin(first: int, second: int) -> int:
    """How many of the ordered differences between two groups to drop at either end for a 95 % interval of their shift.

    -1 if the groups are so small that even all differences cover less (Mann and Whitney 1947).
    """
    if min(first, second) > _EXACT:
        pairs = first * second
        return math.floor(pairs / 2 - _NORMAL * math.sqrt(pairs * (first + second + 1) / 12) - 0.5)
    counts = _rank_sums(first, second)
    allowed, seen, margin = (1 - LEVEL) / 2 * sum(counts), 0, -1
    for count in counts:
        seen += count
        if seen > allowed:
            break
        margin += 1
    return margin


def _rank_sums(first: int, second: int) -> list[int]:
    """The number of orders of both groups with 0, 1, 2 ... inversions: the terms of a Gaussian binomial."""
    terms = [1] + [0] * (first * second)
    for step in range(1, first + 1):
        for index in range(len(terms) - 1, second + step - 1, -1):
            terms[index] -= terms[index - second - step]
        for index in range(step, len(terms)):
            terms[index] += terms[index - step]
    return terms

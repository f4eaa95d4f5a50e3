"""The front holds what nothing beats, and nothing else."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edgener.report.pareto import front

cost = st.integers(0, 5).map(float)
costs = st.dictionaries(st.text(max_size=3), st.tuples(cost, cost))


def beats(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return one != other and one[0] <= other[0] and one[1] <= other[1]


@given(costs)
def test_nothing_beats_what_is_on_the_front(found: dict[str, tuple[float, float]]) -> None:
    assert not [name for name in front(found) if any(beats(other, found[name]) for other in found.values())]


@given(costs)
def test_what_is_left_out_is_beaten_or_equalled_by_the_front(found: dict[str, tuple[float, float]]) -> None:
    kept = [found[name] for name in front(found)]
    assert all(each in kept or any(beats(other, each) for other in kept) for each in found.values())


def test_the_front_begins_with_the_least_first_cost() -> None:
    assert front({"slow": (3.0, 0.0), "fast": (1.0, 2.0), "worse": (3.0, 1.0), "middle": (2.0, 1.0)}) == [
        "fast",
        "middle",
        "slow",
    ]

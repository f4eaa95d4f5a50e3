"""Charts of two figures: which points are on the Pareto front, and where their names stand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.collections import PathCollection

from edgener.parity.bootstrap import Estimate
from edgener.report.canvas import figure
from edgener.report.tradeoff import Plane, Point, draw_tradeoff, front, front_text, pareto_front

LATENCY = Plane("ms", "F1", less_x=True, less_y=False)


def point(name: str, x: float, y: float, series: str = "", size: int = 1) -> Point:
    return Point(name, Estimate(x, 0.9 * x, 1.1 * x), Estimate(y, y, y), size, series)


def drawn_on(folder: Path, points: list[Point], plane: Plane = LATENCY) -> Any:
    with figure(5.4, 3.7, folder / "a.svg") as drawn:
        return draw_tradeoff(drawn, plane, points)


def names(axes: Any) -> dict[str, Any]:
    """The boxes of the names in a chart."""
    renderer = axes.figure.canvas.get_renderer()
    return {text.get_text(): text.get_window_extent(renderer) for text in axes.texts}


def test_each_series_has_a_pareto_front_of_its_own() -> None:
    points = [point(name, x, y, "a") for name, x, y in (("fast", 1, 0.8), ("exact", 2, 0.9), ("worse", 3, 0.85))]
    points.append(point("b", 9, 0.1, "b"))
    best = pareto_front(LATENCY, points)
    assert [each.name for each in best] == ["fast", "exact", "b"]
    assert "fast on a, exact on a, b on b." in front_text(best) and "front: fast, exact." in front_text(best[:2])


@pytest.mark.parametrize(
    ("less_x", "less_y", "best", "direction"),
    [
        (True, False, "low left high", "Up and to the left is better."),
        (False, True, "high right low", "Down and to the right is better."),
    ],
)
def test_the_front_follows_what_is_better(less_x: bool, less_y: bool, best: str, direction: str) -> None:
    plane = Plane("x", "y", less_x, less_y)
    points = [point("low left high", 1, 9), point("high right low", 9, 1)]
    assert [each.name for each in pareto_front(plane, points)] == [best]
    assert plane.direction == direction


def test_no_name_covers_another_where_there_is_room(tmp_path: Path) -> None:
    points = [point(f"int8-number-{number}", 5 + number % 3, 0.88 + number / 500) for number in range(9)]
    boxes = list(names(drawn_on(tmp_path, points)).values())
    assert len(boxes) == 9
    assert not [1 for i, one in enumerate(boxes) for other in boxes[:i] if one.overlaps(other)]


def test_names_of_equal_points_are_both_readable(tmp_path: Path) -> None:
    one, other = names(drawn_on(tmp_path, [point("one", 1, 0.9), point("other", 1, 0.9)])).values()
    assert not one.overlaps(other)


def test_of_many_points_only_the_front_is_named(tmp_path: Path) -> None:
    points = [point(f"v{number}", 1 + number, 0.9 - number / 1000) for number in range(40)]
    assert list(names(drawn_on(tmp_path, points))) == ["v0"]


def test_a_wide_range_has_a_logarithmic_scale_with_plain_numbers(tmp_path: Path) -> None:
    assert drawn_on(tmp_path, [point("a", 1, 0.9), point("b", 9, 0.9)]).get_xscale() == "linear"
    assert drawn_on(tmp_path, [point("a", 1, 0.9), point("b", 300, 0.9)]).get_xscale() == "log"
    assert "mathdefault" not in (tmp_path / "a.svg").read_text(encoding="utf-8")


def test_an_axis_of_f1_does_not_blow_up_noise(tmp_path: Path) -> None:
    plane = Plane("ms", "F1", less_x=True, less_y=False, least_y=0.01)
    low, high = drawn_on(tmp_path, [point("a", 1, 0.9), point("b", 2, 0.9001)], plane).get_ylim()
    assert high - low == pytest.approx(0.01)
    low, high = drawn_on(tmp_path, [point("a", 1, 0.8), point("b", 2, 0.9)], plane).get_ylim()
    assert high - low > 0.1


def test_marks_on_the_front_are_filled_and_the_others_are_hollow(tmp_path: Path) -> None:
    axes = drawn_on(tmp_path, [point("best", 1, 0.9), point("worse", 2, 0.8)])
    marks = [mark for mark in axes.collections if isinstance(mark, PathCollection)]
    best, worse = (tuple(mark.get_facecolor()[0][:3]) for mark in marks)
    assert best != worse == (1.0, 1.0, 1.0)


# --- the Pareto front of costs

cost = st.integers(0, 5).map(float)
costs = st.dictionaries(st.text(max_size=3), st.tuples(cost, cost))


def beats(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return one != other and one[0] <= other[0] and one[1] <= other[1]


@given(costs)
def test_nothing_beats_what_is_on_the_front(found: dict[str, tuple[float, float]]) -> None:
    assert not [name for name in front(found) if any(beats(other, found[name]) for other in found.values())]


@given(costs)
def test_what_is_left_out_is_beaten_or_equalled_by_the_front(found: dict[str, tuple[float, float]]) -> None:
    best = [found[name] for name in front(found)]
    assert all(each in best or any(beats(other, each) for other in best) for each in found.values())


def test_the_front_begins_with_the_least_first_cost() -> None:
    assert front({"slow": (3.0, 0.0), "fast": (1.0, 2.0), "worse": (3.0, 1.0), "middle": (2.0, 1.0)}) == [
        "fast",
        "middle",
        "slow",
    ]

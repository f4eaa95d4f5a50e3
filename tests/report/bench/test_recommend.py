"""What is recommended: the fastest that surely keeps the bounds, what may, or that nothing does."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgener.report.bench.recommend import Bounds, Candidate, kept, recommend
from edgener_runtime.commissioning.bench.results.record import Interval

FAST = Candidate("int8 on 2 threads", 5.0, Interval(6.0, 5.5, 6.5), 0.006, "p99 6")
EXACT = Candidate("fp32 on 2 threads", 9.0, Interval(12.0, 11.0, 13.0), 0.0, "p99 12")
BOTH = (EXACT, FAST)


@pytest.mark.parametrize(
    ("bounds", "sentence", "choice"),
    [
        (Bounds(), "without a bound: int8 on 2 threads (p99 6)", FAST.name),
        (Bounds(20.0), "p99 under 20 ms: int8 on 2 threads (p99 6)", FAST.name),
        (Bounds(20.0, 0.005), "p99 under 20 ms, F1 within 0.005: fp32 on 2 threads (p99 12)", EXACT.name),
        (Bounds(6.0), "p99 under 6 ms: cannot be told, nearest is int8 on 2 threads (p99 6)", None),
        (Bounds(5.0), "p99 under 5 ms: nothing here keeps that", None),
        (Bounds(None, 0.0), "F1 within 0: fp32 on 2 threads (p99 12)", EXACT.name),
    ],
)
def test_the_fastest_that_keeps_the_bounds(bounds: Bounds, sentence: str, choice: str | None) -> None:
    found = recommend("box", BOTH, bounds)
    assert (found.sentence, found.choice) == (sentence, choice)


def test_what_surely_keeps_a_bound_comes_before_what_is_faster_and_may() -> None:
    sure = replace(FAST, name="slower and sure", cost=5.5, p99_ms=Interval(5.5, 5.4, 5.6))
    assert recommend("box", (FAST, sure), Bounds(6.0)).choice == "slower and sure"


def test_an_f1_that_is_not_known_keeps_no_bound() -> None:
    assert kept(replace(FAST, f1_lost=None), Bounds(None, 1.0)) == "breaks"
    assert kept(replace(FAST, f1_lost=None), Bounds(20.0)) == "keeps"


def test_a_bound_on_p99_asks_nothing_of_all_texts_in_one_query() -> None:
    assert kept(replace(FAST, p99_ms=None), Bounds(0.001)) == "keeps"
    assert recommend("box", (replace(FAST, p99_ms=None),), Bounds(0.001, 0.01)).sentence.startswith(
        "F1 within 0.01: int8"
    )


def test_figures_that_are_marked_are_recommended_with_that_said() -> None:
    assert recommend("box", (replace(FAST, doubtful=True),), Bounds()).sentence.endswith("; its figures are marked)")


def test_of_nothing_nothing_is_recommended() -> None:
    assert recommend("box", (), Bounds()).choice is None

"""Recommendations: the fastest that surely meets the bounds, the nearest that may, or that nothing does."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgener.report.bench.recommend import BenchCandidate, Bounds, advise, meets, recommend
from edgener_runtime.commissioning.bench.results.record import Interval

FAST = BenchCandidate("int8 on 2 threads", 5.0, Interval(6.0, 5.5, 6.5), 0.006, "p99 6")
EXACT = BenchCandidate("fp32 on 2 threads", 9.0, Interval(12.0, 11.0, 13.0), 0.0, "p99 12")
BOTH = (EXACT, FAST)


@pytest.mark.parametrize(
    ("bounds", "sentence", "choice"),
    [
        (Bounds(), "without a bound: int8 on 2 threads (p99 6)", FAST.name),
        (Bounds(20.0), "p99 under 20 ms: int8 on 2 threads (p99 6)", FAST.name),
        (Bounds(20.0, 0.005), "p99 under 20 ms, F1 within 0.005: fp32 on 2 threads (p99 12)", EXACT.name),
        (Bounds(6.0), "p99 under 6 ms: uncertain, the nearest is int8 on 2 threads (p99 6)", None),
        (Bounds(5.0), "p99 under 5 ms: nothing here keeps that", None),
        (Bounds(None, 0.0), "F1 within 0: fp32 on 2 threads (p99 12)", EXACT.name),
    ],
)
def test_the_fastest_that_meets_the_bounds(bounds: Bounds, sentence: str, choice: str | None) -> None:
    found = recommend("box", BOTH, bounds)
    assert (found.sentence, found.choice) == (sentence, choice)


def test_a_candidate_that_surely_meets_a_bound_comes_before_a_faster_one_that_may() -> None:
    sure = replace(FAST, name="slower and sure", cost=5.5, p99_ms=Interval(5.5, 5.4, 5.6))
    assert recommend("box", (FAST, sure), Bounds(6.0)).choice == "slower and sure"


def test_an_unknown_f1_meets_no_bound() -> None:
    assert meets(replace(FAST, f1_lost=None), Bounds(None, 1.0)) == "misses"
    assert meets(replace(FAST, f1_lost=None), Bounds(20.0)) == "meets"


def test_a_bound_on_p99_does_not_apply_to_all_texts_in_one_query() -> None:
    assert meets(replace(FAST, p99_ms=None), Bounds(0.001)) == "meets"
    assert recommend("box", (replace(FAST, p99_ms=None),), Bounds(0.001, 0.01)).sentence.startswith(
        "F1 within 0.01: int8"
    )


def test_a_recommended_row_with_a_warning_says_so() -> None:
    assert recommend("box", (replace(FAST, doubtful=True),), Bounds()).sentence.endswith("; its figures are marked)")


def test_without_candidates_there_is_no_choice() -> None:
    assert recommend("box", (), Bounds()).choice is None


@pytest.mark.parametrize(
    ("bounds", "sentence"),
    [
        (Bounds(), "Recommended: int8 on 2 threads, the fastest: p99 6."),
        (
            Bounds(20.0, 0.005),
            "Recommended: fp32 on 2 threads, the fastest with p99 under 20 ms, F1 within 0.005: p99 12.",
        ),
        (Bounds(6.0), "Nothing surely meets p99 under 6 ms; the nearest is int8 on 2 threads: p99 6."),
        (Bounds(5.0), "Nothing here meets p99 under 5 ms."),
    ],
)
def test_a_page_has_the_same_as_a_sentence(bounds: Bounds, sentence: str) -> None:
    assert advise(BOTH, bounds) == sentence


def test_without_candidates_the_page_says_so() -> None:
    assert advise((), Bounds()) == "There is no row to recommend."

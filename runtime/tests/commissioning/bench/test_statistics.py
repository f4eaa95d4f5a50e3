"""Intervals: what always holds of them, and how often they hold the truth where that is known."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edgener_runtime.commissioning.bench.drivers.scenarios import SCENARIOS
from edgener_runtime.commissioning.bench.results.record import Interval, Isolation, Round
from edgener_runtime.commissioning.bench.results.samples import pack
from edgener_runtime.commissioning.bench.results.statistics import (
    LEAST_ROUNDS,
    Floats,
    figures,
    interval_of_median,
    interval_of_percentile,
    percentile,
    precise,
    ratio_interval,
    ratio_of_medians,
)
from edgener_runtime.errors import EdgenerError

Draw = Callable[[np.random.Generator, int], Floats]
TIMES = st.floats(min_value=1e-3, max_value=1e6)
GROUPS = st.lists(TIMES, min_size=1, max_size=12)
SHARES = (0.5, 0.9, 0.95, 0.99)


def samples(random: np.random.Generator, count: int = 200) -> Floats:
    """Of a quiet process: neighbours are alike, some queries are slow."""
    smooth = np.convolve(random.normal(0, 0.05, count + 9), np.ones(10) / math.sqrt(10), "valid")
    return 10 * np.exp(smooth + 0.3 * (random.random(count) < 0.02))


def normal(random: np.random.Generator, count: int) -> Floats:
    return 10 * np.exp(random.normal(0, 0.02, count))


def disturbed(random: np.random.Generator, count: int) -> Floats:
    """One round in seven is slowed down by another program."""
    slowed = (random.random(count) < 1 / 7) * random.exponential(0.15, count)
    return 10 * np.exp(random.normal(0, 0.01, count) + slowed)


def two_clocks(random: np.random.Generator, count: int) -> Floats:
    return 10 * np.exp(0.04 * (random.random(count) < 0.3) + random.normal(0, 0.004, count))


LAWS = {"normal": normal, "disturbed": disturbed, "two clocks": two_clocks}


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        ([3, 1, 2, 4], 0.5, 2),
        ([3, 1, 2, 4], 0.51, 3),
        ([7], 0.99, 7),
        (range(1, 101), 0.07, 7),
        (range(1, 101), 0.99, 99),
        ([1, 2], 0.0, 1),
        ([1, 2], 1.0, 2),
    ],
)
def test_a_percentile_is_a_value_that_was_seen(values: list[float], share: float, expected: float) -> None:
    assert percentile(np.array(values, float), share) == expected


@pytest.mark.parametrize(
    "call",
    [
        lambda: percentile(np.array([]), 0.5),
        lambda: interval_of_median([]),
        lambda: interval_of_percentile([], 0.5),
        lambda: interval_of_percentile([np.array([1.0]), np.array([])], 0.5),
        lambda: ratio_of_medians([1.0], []),
    ],
)
def test_nothing_measured_has_no_figure(call: Callable[[], object]) -> None:
    with pytest.raises(EdgenerError, match=r"^no (median|percentile): "):
        call()


@given(GROUPS)
@example([1.0, 1.0, *[87.0] * 10])  # whose ends are rounded
def test_an_interval_holds_its_value_in_whatever_order(values: list[float]) -> None:
    found = interval_of_median(values)
    assert 0 <= found.low <= found.value <= found.high
    assert interval_of_median(values[::-1]) == found


@given(GROUPS, GROUPS)
def test_a_ratio_turned_round_is_one_over_it(first: list[float], second: list[float]) -> None:
    there, back = ratio_of_medians(first, second), ratio_of_medians(second, first)
    assert there.low <= there.value <= there.high
    assert back.value == pytest.approx(1 / there.value)
    if len(first) + len(second) > 2:  # one round on either side leaves it open how fast the first may be
        assert (back.low, back.high) == pytest.approx((1 / there.high, 1 / there.low), rel=1e-6, abs=1e-40)


@given(GROUPS, st.floats(min_value=0.1, max_value=10))
def test_units_do_not_matter(values: list[float], unit: float) -> None:
    found, scaled = interval_of_median(values), interval_of_median([unit * value for value in values])
    assert (scaled.value, scaled.high) == pytest.approx((unit * found.value, unit * found.high))


@given(st.integers(1, 2), st.integers(1, 300), st.sampled_from(SHARES))
def test_few_rounds_still_have_intervals(rounds: int, count: int, share: float) -> None:
    found = interval_of_percentile([samples(np.random.default_rng(n), count) for n in range(rounds)], share)
    assert 0 <= found.low <= found.value <= found.high < math.inf


@pytest.mark.parametrize("rounds", [3, 5, 6, 8, 12])
@pytest.mark.parametrize("law", LAWS)
def test_intervals_hold_the_median_round(law: str, rounds: int) -> None:
    draw, random = LAWS[law], np.random.default_rng(7)
    truth = float(np.median(draw(random, 100_000)))
    assert 0.90 <= held(lambda: interval_of_median(list(draw(random, rounds))), truth) <= 0.99


@pytest.mark.parametrize("share", [0.5, 0.99])
def test_intervals_of_percentiles_hold_that_of_the_median_round(share: float) -> None:
    """With what one round differs from another as well as what a sample does from its neighbours."""
    random = np.random.default_rng(7)

    def draw(rounds: int) -> list[Floats]:
        return [samples(random) * effect / 10 for effect in disturbed(random, rounds)]

    truth = float(np.median([percentile(values, share) for values in draw(4000)]))
    assert 0.90 <= held(lambda: interval_of_percentile(draw(6), share), truth, 500) <= 0.99


@pytest.mark.parametrize("law", LAWS)
def test_stopping_at_two_percent_keeps_the_promise(law: str) -> None:
    """Looking after every round makes stopping at a lucky moment likelier; from five rounds on it costs little."""
    draw, random = LAWS[law], np.random.default_rng(7)

    def until_precise() -> Interval:
        values = list(draw(random, LEAST_ROUNDS))
        while not precise(interval_of_median(values), 0.02) and len(values) < 20:
            values += list(draw(random, 1))
        return interval_of_median(values)

    assert 0.90 <= held(until_precise, float(np.median(draw(random, 100_000)))) <= 0.99


@pytest.mark.parametrize(
    ("law", "rounds"),
    [("normal", (2, 2)), *((law, rounds) for law in LAWS for rounds in ((3, 3), (3, 5), (5, 5), (7, 7), (8, 5)))],
)
def test_ratios_hold_the_truth_and_raise_few_false_alarms(law: str, rounds: tuple[int, int]) -> None:
    draw, random = LAWS[law], np.random.default_rng(7)
    found = [ratio_of_medians(*(list(draw(random, count)) for count in rounds)) for _ in range(1000)]
    assert np.mean([ratio.low <= 1 <= ratio.high for ratio in found]) >= 0.90
    assert np.mean([ratio.low > 1 for ratio in found]) < 0.05


@pytest.mark.parametrize("law", LAWS)
def test_a_tenth_more_is_found_with_ten_rounds(law: str) -> None:
    draw, random = LAWS[law], np.random.default_rng(7)
    found = [ratio_of_medians(list(draw(random, 10)), list(1.1 * draw(random, 10))) for _ in range(200)]
    assert np.mean([ratio.low > 1 for ratio in found]) > 0.9


def test_drawing_single_samples_would_promise_too_much() -> None:
    """Why rounds are what counts: the usual bootstrap of all samples holds the truth half as often as it says."""
    random = np.random.default_rng(7)

    def pooled() -> Interval:
        values = np.concatenate([samples(random) * effect / 10 for effect in normal(random, 5)])
        drawn = np.median(random.choice(values, (100, len(values))), axis=1)
        return Interval(float(np.median(values)), *map(float, np.quantile(drawn, (0.025, 0.975))))

    assert held(pooled, 10, 100) < 0.75


def held(draw: Callable[[], Interval], truth: float, times: int = 1000) -> float:
    """How often an interval holds the truth."""
    return float(np.mean([found.low <= truth <= found.high for found in (draw() for _ in range(times))]))


def test_one_round_against_another_shows_nothing() -> None:
    found = ratio_interval([np.full(1000, 10.0)], [np.full(1000, 20.0)], 0.5)
    assert (found.low, found.value) == (0.0, pytest.approx(2.0)) and found.high > 20


def test_the_same_rounds_have_the_same_interval() -> None:
    one_round = [samples(np.random.default_rng(1))]
    assert interval_of_percentile(one_round, 0.9) == interval_of_percentile(one_round, 0.9)


def test_many_samples_take_no_time() -> None:
    random = np.random.default_rng(1)
    rounds = [random.gamma(2, 5, 10_000) for _ in range(10)]
    start = time.process_time()
    for share in SHARES:
        interval_of_percentile(rounds, share)
    assert time.process_time() - start < 0.5


@pytest.mark.parametrize(("low", "high", "expected"), [(9.9, 10.1, True), (9.8, 10.2, True), (9.8, 10.3, False)])
def test_precise_is_half_the_width(low: float, high: float, expected: bool) -> None:
    assert precise(Interval(10.0, low, high), 0.02) is expected


ROUND = Round(
    "2026-01-01T00:00:00+00:00", 0.2, 3.0, 0.5, seconds=2.0, texts=100, subwords=3000, cpu_seconds=4.0,
    samples=pack(np.arange(1.0, 101.0)), isolation=Isolation(5.0), steady_rss_mb=100.0, peak_rss_mb=120.0, joules=5.0,
    rate=40.0,
)  # fmt: skip
ROUNDS = [ROUND, replace(ROUND, seconds=2.5, peak_rss_mb=None, joules=None, load_seconds=0.4, rate=30.0), ROUND]


@pytest.mark.parametrize(
    ("scenario", "metric", "unit"),
    [("single-stream", 90, "ms"), ("multi-stream", 99, "ms"), ("offline", 50, "texts/s"), ("server", 40, "texts/s")],
)
def test_the_metric_is_the_scenarios_own(scenario: str, metric: float, unit: str) -> None:
    found = figures(SCENARIOS[scenario], ROUNDS)
    assert (found.metric.value, found.unit) == (metric, unit)


def test_figures_are_those_of_the_median_round() -> None:
    found = figures(SCENARIOS["single-stream"], ROUNDS)
    assert [getattr(found, f"p{share}_ms").value for share in (50, 90, 95, 99)] == [50, 90, 95, 99]
    assert (found.max_ms, found.texts_per_second.value, found.subwords_per_second) == (100, 50, 1500)
    assert (found.cpu_seconds_per_1000, found.load_seconds, found.first_ms) == (40, 0.2, 3)
    assert (found.steady_rss_mb, found.peak_rss_mb, found.joules_per_1000) == (100, 120, 50)


def test_what_no_round_knows_is_none() -> None:
    unknown = replace(ROUND, steady_rss_mb=None, peak_rss_mb=None, joules=None)
    found = figures(SCENARIOS["offline"], [unknown])
    assert (found.steady_rss_mb, found.peak_rss_mb, found.joules_per_1000) == (None, None, None)
    assert found.texts_per_second == Interval(50.0, 0.0, pytest.approx(534))

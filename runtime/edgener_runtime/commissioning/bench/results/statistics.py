"""The figures of a row with their 95 % intervals, calculated from its rounds.

A round is a fresh process. A row's figures are those of its median round: the interval comes from the spread of the
rounds, because samples within a round share its memory layout, its clock and its neighbours, and ten thousand of them
show no more of that than one. Five rounds or more need no assumption on their distribution, and one disturbed round
changes nothing; tests generate rounds of a known distribution and count how often the intervals cover it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from statistics import median

import numpy as np
from numpy.typing import NDArray

from edgener_runtime.commissioning.bench.drivers.scenarios import Scenario
from edgener_runtime.errors import EdgenerError

from .quantiles import LEVEL, rank_sum_margin, student_t
from .record import BenchFigures, Interval, Round
from .samples import unpack

LEAST_ROUNDS = 5  # the smallest number of rounds whose extremes cover the median 19 times in 20 (94 %)
RESAMPLES = 250
_SEED = 1
_ONE_VALUE = 9.68  # the interval of a single value: x ± 9.68 x (Blachman and Machol 1987)
_LEAST = 1e-9  # divisor
_FAR = 100.0  # powers of e that are still finite, for two rounds that are far apart

Floats = NDArray[np.float64]


def percentile(values: Floats, share: float) -> float:
    """The smallest value that at least `share` of all do not exceed. Raises EdgenerError without values."""
    return float(_percentiles(values, share))


def interval_of_percentile(rounds: Sequence[Floats], share: float) -> Interval:
    """The percentile of the median round. For a single round the interval covers that process only."""
    if len(rounds) == 1:
        return _within_a_round(rounds[0], share)
    return interval_of_median([percentile(values, share) for values in rounds])


def interval_of_median(values: Sequence[float]) -> Interval:
    """The median of one figure per round.

    From the order of the values (Hettmansperger and Sheather 1986); below five, from Student's t, which assumes a
    normal distribution; a single value has a very wide interval.
    """
    ordered = sorted(_filled(values))
    middle, count = median(ordered), len(ordered)
    if count == 1:
        return Interval(middle, max(0.0, (1 - _ONE_VALUE) * middle), (1 + _ONE_VALUE) * middle)
    if count < LEAST_ROUNDS:
        mean, half = float(np.mean(ordered)), student_t(count - 1) * float(np.std(ordered, ddof=1)) / math.sqrt(count)
        return Interval(middle, max(0.0, mean - half), mean + half)
    return Interval(middle, *_ends(ordered))


def ratio_interval(first: Sequence[Floats], second: Sequence[Floats], share: float) -> Interval:
    """A percentile of `second` over that of `first`: 1.1 if the second takes a tenth longer."""
    return ratio_of_medians(*([percentile(values, share) for values in rounds] for rounds in (first, second)))


def ratio_of_medians(first: Sequence[float], second: Sequence[float]) -> Interval:
    """The figures of the rounds of `second` over those of `first`.

    All pairs of rounds are compared and their order gives the ends (Hodges and Lehmann 1963); too few rounds for that
    are assumed normal with one spread. With a single round on one side the other side gives the spread; with one on
    both sides nothing does.
    """
    one, other = (np.log(np.maximum(_filled(values), _LEAST)) for values in (first, second))
    differences = np.sort((other[:, None] - one[None, :]).ravel())
    middle, margin = float(np.median(differences)), rank_sum_margin(len(one), len(other))
    if margin >= 0:
        low, high = differences[margin], differences[-1 - margin]
    elif len(differences) == 1:
        return Interval(math.exp(middle), 0.0, (1 + _ONE_VALUE) * math.exp(middle))
    else:
        half, mean = _pooled(one, other), float(differences.mean())
        low, high = mean - half, mean + half
    return Interval(*(math.exp(min(max(end, -_FAR), _FAR)) for end in (middle, float(low), float(high))))


def precise(interval: Interval, within: float) -> bool:
    """Whether the ends lie within a share (0.02 for 2 %) of the value, on average."""
    return interval.high - interval.low <= 2 * within * interval.value


def figures(scenario: Scenario, rounds: Sequence[Round]) -> BenchFigures:
    """The figures of a row from its rounds. Raises EdgenerError without rounds, or for one without samples."""
    samples = [unpack(measured.samples) for measured in rounds]
    throughput = interval_of_median([measured.texts / measured.seconds for measured in rounds])
    return BenchFigures(
        metric=_metric(scenario, rounds, samples, throughput),
        unit=scenario.unit,
        p50_ms=interval_of_percentile(samples, 0.50),
        p90_ms=interval_of_percentile(samples, 0.90),
        p95_ms=interval_of_percentile(samples, 0.95),
        p99_ms=interval_of_percentile(samples, 0.99),
        max_ms=max(float(values.max()) for values in samples),
        texts_per_second=throughput,
        subwords_per_second=median(measured.subwords / measured.seconds for measured in rounds),
        cpu_seconds_per_1000=median(1000 * measured.cpu_seconds / measured.texts for measured in rounds),
        load_seconds=median(measured.load_seconds for measured in rounds),
        first_ms=median(measured.first_ms for measured in rounds),
        steady_rss_mb=_median_of_known(measured.steady_rss_mb for measured in rounds),
        peak_rss_mb=_median_of_known(measured.peak_rss_mb for measured in rounds),
        joules_per_1000=_median_of_known(
            None if measured.joules is None else 1000 * measured.joules / measured.texts for measured in rounds
        ),
    )


def _metric(scenario: Scenario, rounds: Sequence[Round], samples: list[Floats], throughput: Interval) -> Interval:
    """The scenario's own figure: a latency, a server's rate of queries, or texts per second."""
    if scenario.percentile is None:
        return throughput
    if scenario.unit == "ms":
        return interval_of_percentile(samples, scenario.percentile / 100)
    return interval_of_median([measured.rate for measured in rounds if measured.rate is not None])


def _median_of_known(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None


def _filled(values: Sequence[float]) -> Sequence[float]:
    if not len(values):
        raise EdgenerError("no median: no round was measured")
    return values


def _percentiles(values: Floats, share: float) -> Floats:
    """Along the last axis."""
    count = values.shape[-1]
    if not count:
        raise EdgenerError("no percentile: a round has no samples")
    rank = max(0, math.ceil(round(share * count, 9)) - 1)  # 0.07 x 100 is a little more than 7
    found: Floats = np.partition(values, rank, axis=-1)[..., rank]
    return found


def _within_a_round(values: Floats, share: float) -> Interval:
    """A bootstrap of blocks instead of single samples, because neighbours are correlated (Künsch 1989)."""
    value, count = percentile(values, share), len(values)
    if count == 1:
        return interval_of_median([value])
    stretch = math.ceil(math.sqrt(count))
    random = np.random.default_rng(_SEED)
    starts = random.integers(0, count - stretch + 1, (RESAMPLES, math.ceil(count / stretch)))
    drawn = (starts[:, :, None] + np.arange(stretch)).reshape(RESAMPLES, -1)[:, :count]
    low, high = np.quantile(_percentiles(values[drawn], share), ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return Interval(value, min(value, float(low)), max(value, float(high)))


def _ends(ordered: list[float]) -> tuple[float, float]:
    """Interpolated between the two order statistics that cover the median just over and just under 95 times in 100."""
    count = len(ordered)
    covers = [1.0]  # the probability that the median lies between the values at each rank from either end
    for rank in range(count // 2):
        covers.append(covers[-1] - 2 * math.comb(count, rank) / 2**count)
    outer = max([rank for rank in range(1, len(covers)) if covers[rank] >= LEVEL], default=0)
    if outer == 0:
        return ordered[0], ordered[-1]
    if outer + 1 >= len(covers):
        return ordered[outer - 1], ordered[count - outer]
    excess = (covers[outer] - LEVEL) / (covers[outer] - covers[outer + 1])
    inward = (count - outer) * excess / (outer + (count - 2 * outer) * excess)
    low = (1 - inward) * ordered[outer - 1] + inward * ordered[outer]
    high = (1 - inward) * ordered[count - outer] + inward * ordered[count - outer - 1]
    return min(low, ordered[outer]), max(high, ordered[count - outer - 1])  # rounding could pass them


def _pooled(one: Floats, other: Floats) -> float:
    """Half the width of Student's interval of the difference of two means."""
    degrees = len(one) + len(other) - 2
    squares = sum(float(((values - values.mean()) ** 2).sum()) for values in (one, other))
    return student_t(degrees) * math.sqrt(squares / degrees * (1 / len(one) + 1 / len(other)))

"""How much longer the same work took: the ratio of two rows' rounds, and that of the machine itself.

Every ratio is a slowdown, the other's time over the first's: 1.10 is ten per cent slower in every scenario.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING

from edgener_runtime.commissioning.bench.results.record import BenchFigures, BenchResult, Case, Interval, Round
from edgener_runtime.errors import UserInputError

from .match import RowPair

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

MEDIAN = 0.5
_FAR = 1000.0  # times; intervals end here, as JSON has no infinity


@dataclass(frozen=True)
class ComparedFigure:
    """The compared figure of a scenario: its name, how it is read for people, and the times of a round."""

    name: str
    shown: Callable[[BenchFigures], Interval]
    times: Callable[[Round], Floats]


def _latencies(found: Round) -> Floats:
    from edgener_runtime.commissioning.bench.results.samples import unpack

    return unpack(found.samples)


def _per_text(found: Round) -> Floats:
    import numpy as np

    return np.array([found.seconds / found.texts] if found.texts else [])


def _per_query(found: Round) -> Floats:
    import numpy as np

    return np.array([1 / found.rate] if found.rate else [])


# The median is compared where MLPerf's own figure is a tail: a tail depends on the few worst moments of a machine, and
# shows a slowdown of 5 % only after many times the queries.
MEASURES = {
    "single-stream": ComparedFigure("p50 ms", attrgetter("p50_ms"), _latencies),
    "multi-stream": ComparedFigure("p50 ms", attrgetter("p50_ms"), _latencies),
    "offline": ComparedFigure("texts/s", attrgetter("texts_per_second"), _per_text),
    "server": ComparedFigure("texts/s", attrgetter("metric"), _per_query),
}


def measure_of(case: Case) -> ComparedFigure:
    """The compared figure of a case's scenario. Raises UserInputError where this version does not know the scenario."""
    if case.scenario not in MEASURES:
        known = ", ".join(MEASURES)
        raise UserInputError(f"a row has the scenario {case.scenario!r}; known are {known}", "Update edgener.")
    return MEASURES[case.scenario]


def slowdown(pair: RowPair) -> Interval | None:
    """The other row's time over the first's, with its interval; None where a side has no sample."""
    times = measure_of(pair.base.case).times
    return _ratio([times(found) for found in pair.base.rounds], [times(found) for found in pair.other.rounds])


def machine_slowdown(base: BenchResult, other: BenchResult) -> Interval | None:
    """How much longer the reference workload took, which runs around every round of both; None without one."""
    return _ratio(_reference_times(base), _reference_times(other))


def widened(measured: Interval, machine: Interval) -> Interval:
    """The interval of a slowdown that may be due to the machine in part.

    The share of the machine's own slowdown in the model's is not known: it is between none and all. So the interval
    covers both: as measured, and with all of it removed. The machine's slowdown counts as far as the reference workload
    is certain: by the end of its interval that is nearest to none. With its whole uncertainty, a reference workload
    that varies more than the model would hide every slowdown; simulations in the tests count those that are found.
    """
    share = min(max(1.0, machine.low), machine.high)
    return Interval(measured.value, min(measured.low, measured.low / share), max(measured.high, measured.high / share))


def beyond(machine: Interval, limit: float) -> bool:
    """Whether the machine itself was surely slower or faster by more than the limit."""
    return machine.low > 1 + limit or machine.high < 1 / (1 + limit)


def speed_up(found: Interval) -> Interval:
    """How many times as fast the other is."""
    return Interval(1 / found.value, 1 / found.high, 1 / found.low)


def _reference_times(result: BenchResult) -> list[Floats]:
    """The times of the reference workload in each turn of all rows: one turn is one moment of the machine."""
    import numpy as np

    turns = range(max((len(row.rounds) for row in result.rows), default=0))
    found = [
        [row.rounds[turn].isolation.reference_ms for row in result.rows if turn < len(row.rounds)] for turn in turns
    ]
    return [np.array([value for value in values if value > 0]) for values in found]


def _ratio(base: Sequence[Floats], other: Sequence[Floats]) -> Interval | None:
    from edgener_runtime.commissioning.bench.results.statistics import ratio_interval

    ours, theirs = _seen(base), _seen(other)
    return _bounded(ratio_interval(ours, theirs, MEDIAN)) if ours and theirs else None


def _bounded(found: Interval) -> Interval:
    return Interval(found.value, max(found.low, found.value / _FAR), min(found.high, found.value * _FAR))


def _seen(rounds: Collection[Floats]) -> list[Floats]:
    return [times for times in rounds if len(times)]

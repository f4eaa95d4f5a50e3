"""How much longer the same work took: the ratio of two rows' rounds, and of what the machine itself took.

Everything is a slowdown, the other's time over the first's: 1.10 is ten per cent slower, whatever the scenario counts.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING

from edgener_runtime.commissioning.bench.results.record import BenchFigures, BenchResult, Case, Interval, Round
from edgener_runtime.errors import UserInputError

from .match import Pair

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

MEDIAN = 0.5
_FAR = 1000.0  # times; an interval that reaches farther tells nothing, and JSON has no infinity


@dataclass(frozen=True)
class Measure:
    """What of a scenario is compared: its name, the figure that people are shown, and a round's times."""

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


# The median is compared where MLPerf's own figure is a tail: a tail is made by the few worst moments of a machine, and
# tells a slowdown of 5 % only after many times the queries.
MEASURES = {
    "single-stream": Measure("p50 ms", attrgetter("p50_ms"), _latencies),
    "multi-stream": Measure("p50 ms", attrgetter("p50_ms"), _latencies),
    "offline": Measure("texts/s", attrgetter("texts_per_second"), _per_text),
    "server": Measure("texts/s", attrgetter("metric"), _per_query),
}


def measure_of(case: Case) -> Measure:
    """What is compared in a case's scenario. Raises UserInputError where it is none that this version knows."""
    if case.scenario not in MEASURES:
        known = ", ".join(MEASURES)
        raise UserInputError(f"a row has the scenario {case.scenario!r}; known are {known}", "Update edgener.")
    return MEASURES[case.scenario]


def slowdown(pair: Pair) -> Interval | None:
    """The other row's time over the first's, with its interval; None where a side has no sample."""
    times = measure_of(pair.base.case).times
    return _ratio([times(found) for found in pair.base.rounds], [times(found) for found in pair.other.rounds])


def machine_slowdown(base: BenchResult, other: BenchResult) -> Interval | None:
    """How much longer the yardstick took: a fixed computation, run around every round of both; None without one."""
    return _ratio(_yardsticks(base), _yardsticks(other))


def widened(measured: Interval, machine: Interval) -> Interval:
    """The interval of a slowdown that may in part be the machine's.

    How much of the machine's own slowdown the model shares is not known: none of it, or all. So the interval reaches
    over both: as measured, and with all of it taken off. The machine's counts as far as the yardstick surely tells: by
    the end of its interval that is nearest to none. Taking its whole uncertainty over would let a yardstick that is
    less steady than the model hide every slowdown; simulations in the tests count what is found and what is not.
    """
    share = min(max(1.0, machine.low), machine.high)
    return Interval(measured.value, min(measured.low, measured.low / share), max(measured.high, measured.high / share))


def beyond(machine: Interval, limit: float) -> bool:
    """Whether the machine itself surely was slower or faster by more than what is looked for."""
    return machine.low > 1 + limit or machine.high < 1 / (1 + limit)


def speed_up(found: Interval) -> Interval:
    """How many times as fast the other is."""
    return Interval(1 / found.value, 1 / found.high, 1 / found.low)


def _yardsticks(result: BenchResult) -> list[Floats]:
    """What the yardstick took in each turn of all rows: one turn is one moment of the machine."""
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

"""The highest rate of queries at which a server keeps its bound, found by search."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import sqrt

from edgener_runtime.errors import DeviceError

from .load import Driven, Driver, Load, OverrunError, System
from .scenarios import SCENARIOS

TRIALS = 8  # loads that a search takes from a fair guess: for the bracket, within it, and the proof

_STEP = 1.5  # from one rate to the next, until one holds and one does not
_FINE = 1.06  # as near as those two come
_STEPS_DOWN = 12
_LATE = 1 - (SCENARIOS["server"].percentile or 0) / 100  # of the queries may be late
_PLAINLY = 3  # times as many are no accident
_LEAST = 100  # queries, to tell of one in a hundred


def highest_rate(drive: Driver, system: System, load: Load, bound_ms: float, guess: float) -> tuple[float, Driven]:
    """The highest rate, queries a second, whose 99th percentile is within `bound_ms`, and what came of it there.

    `load` is what each trial sends: about eight of them from a fair guess, each with queries that come at other times,
    the last being what is returned. Raises DeviceError where no rate near `guess` or far below holds, and what the
    system raises.
    """
    trials = _Trials(drive, system, load, bound_ms)
    low, high = _bracket(trials, guess)
    while high / low > _FINE:
        middle = sqrt(low * high)
        low, high = (middle, high) if trials.holds(middle) else (low, middle)
    return _proven(trials, low)


@dataclass
class _Trials:
    """Loads of different rates, each with seeds of its own."""

    drive: Driver
    system: System
    load: Load
    bound_ms: float
    count: int = 0
    latest: Driven | None = None

    def holds(self, rate: float) -> bool:
        """Whether so few are late as may be; where that is a near thing, by the better of two trials."""
        late = self.late(rate)
        if _LATE < late <= _PLAINLY * _LATE:
            late = self.late(rate)
        return late <= _LATE

    def late(self, rate: float) -> float:
        """The share of the queries that are late; 1 where the queue only grows."""
        self.count += 1
        try:
            self.latest = self.drive(self.system, self._load(rate))
        except OverrunError:
            self.latest = None
            return 1.0
        return float((self.latest.milliseconds > self.bound_ms).mean())

    def _load(self, rate: float) -> Load:
        """Given up once more wait than come in the bound and a while: those of that while are late, and too many."""
        load = self.load
        patience = self.bound_ms / 1000 + max(0.25, 2 * _LATE * load.seconds)
        return replace(
            load, rate=rate, seed=load.seed + 1000 * self.count, least=max(load.least, _LEAST), patience=patience
        )


def _bracket(trials: _Trials, guess: float) -> tuple[float, float]:
    """A rate that held, and one a step above that did not."""
    rate = guess
    if trials.holds(rate):
        while trials.holds(rate * _STEP):
            rate *= _STEP
        return rate, rate * _STEP
    return _lower(trials, rate)


def _lower(trials: _Trials, rate: float) -> tuple[float, float]:
    for _ in range(_STEPS_DOWN):
        if trials.latest is not None and trials.latest.milliseconds.min() > trials.bound_ms:
            break  # not even a query that does not wait is in time
        rate /= _STEP
        if trials.holds(rate):
            return rate, rate * _STEP
    raise DeviceError(
        f"no rate keeps the bound of {trials.bound_ms:g} ms: {rate:.3g} queries a second do not",
        "Take a wider bound (--bound), or another variant.",
    )


def _proven(trials: _Trials, rate: float) -> tuple[float, Driven]:
    """The rate, or the next below it, that holds when nothing was chosen for having held."""
    for _ in range(_STEPS_DOWN):
        if trials.holds(rate) and trials.latest is not None:
            return rate, trials.latest
        rate /= _FINE
    raise DeviceError(
        f"the rate that keeps the bound of {trials.bound_ms:g} ms cannot be told: what held once did not again",
        "Give it more time (--seconds), and let nothing else run on the machine.",
    )

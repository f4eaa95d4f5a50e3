"""The search for the highest rate of queries at which a server stays within its latency bound."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import sqrt

from edgener_runtime.errors import DeviceError

from .load import Driven, Load, LoadDriver, OverrunError, System
from .scenarios import SCENARIOS

TRIALS = 8  # loads of a search from a good guess: for the bracket, within it, and the confirmation

_STEP = 1.5  # from one rate to the next, until one passes and one fails
_FINE = 1.06  # the ratio of those two at which the search ends
_STEPS_DOWN = 12
_LATE = 1 - (SCENARIOS["server"].percentile or 0) / 100  # of the queries may be late
_PLAINLY = 3  # times as many cannot be chance
_LEAST = 100  # queries, to measure one in a hundred


def highest_rate(drive: LoadDriver, system: System, load: Load, bound_ms: float, guess: float) -> tuple[float, Driven]:
    """The highest rate, in queries per second, whose 99th percentile is within `bound_ms`, and its result.

    `load` is the load of each trial: about eight of them from a good guess, each with other arrival times; the result
    is that of the last one. Raises DeviceError if no rate near `guess` or far below passes, and what the system raises.
    """
    trials = _Trials(drive, system, load, bound_ms)
    low, high = _bracket(trials, guess)
    while high / low > _FINE:
        middle = sqrt(low * high)
        low, high = (middle, high) if trials.passes(middle) else (low, middle)
    return _confirmed(trials, low)


@dataclass
class _Trials:
    """Loads of different rates, each with seeds of its own."""

    drive: LoadDriver
    system: System
    load: Load
    bound_ms: float
    count: int = 0
    latest: Driven | None = None

    def passes(self, rate: float) -> bool:
        """Whether few enough queries are late; in a close case, by the better of two trials."""
        late = self.late(rate)
        if _LATE < late <= _PLAINLY * _LATE:
            late = self.late(rate)
        return late <= _LATE

    def late(self, rate: float) -> float:
        """The share of late queries; 1 if the queue only grows."""
        self.count += 1
        try:
            self.latest = self.drive(self.system, self._load(rate))
        except OverrunError:
            self.latest = None
            return 1.0
        return float((self.latest.milliseconds > self.bound_ms).mean())

    def _load(self, rate: float) -> Load:
        """The load of a trial; it fails once more queries wait than arrive in the bound and a while: they are late."""
        load = self.load
        patience = self.bound_ms / 1000 + max(0.25, 2 * _LATE * load.seconds)
        return replace(
            load, rate=rate, seed=load.seed + 1000 * self.count, least=max(load.least, _LEAST), patience=patience
        )


def _bracket(trials: _Trials, guess: float) -> tuple[float, float]:
    """A rate that passed, and one a step above that failed."""
    rate = guess
    if trials.passes(rate):
        while trials.passes(rate * _STEP):
            rate *= _STEP
        return rate, rate * _STEP
    return _lower(trials, rate)


def _lower(trials: _Trials, rate: float) -> tuple[float, float]:
    for _ in range(_STEPS_DOWN):
        if trials.latest is not None and trials.latest.milliseconds.min() > trials.bound_ms:
            break  # even queries that do not wait are late
        rate /= _STEP
        if trials.passes(rate):
            return rate, rate * _STEP
    raise DeviceError(
        f"no rate stays within the bound of {trials.bound_ms:g} ms: {rate:.3g} queries per second do not",
        "Use a wider bound (--bound), or another variant.",
    )


def _confirmed(trials: _Trials, rate: float) -> tuple[float, Driven]:
    """The rate, or the next lower one, that passes a trial of its own: the search selected it for having passed."""
    for _ in range(_STEPS_DOWN):
        if trials.passes(rate) and trials.latest is not None:
            return rate, trials.latest
        rate /= _FINE
    raise DeviceError(
        f"the rate within the bound of {trials.bound_ms:g} ms cannot be measured: rates that passed once failed again",
        "Give it more time (--seconds), and run nothing else on the machine.",
    )

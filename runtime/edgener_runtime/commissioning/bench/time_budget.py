"""The seconds of each case in a round, chosen so that enough rounds fit the time budget."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from edgener_runtime.commissioning.bench.results.record import Case

from .plan import BenchTarget

Shares = Mapping[BenchTarget, Mapping[Case, float]]
"""For each target the slices of each of its cases: one, or the number of a search's trials."""

_AIMED_ROUNDS = 8  # an interval needs at least five; the rest is a reserve for slow cases
_SHORTEST, _LONGEST = 0.1, 3.0  # seconds of a slice: more rounds give more information than longer ones
_OVERHEAD = 1.5  # seconds of a process besides its slices, before one was measured
_LONGER = 1.2  # times its slice: a case that takes longer is planned with its own duration


@dataclass
class TimeBudget:
    """Chooses the slice of each round; learns from each turn the overhead of a target, and which cases overrun."""

    slice: float = _LONGEST
    _overhead: dict[BenchTarget, float] = field(default_factory=dict)
    _least: dict[Case, float] = field(default_factory=dict)

    def begin_round(self, rounds: int, left: float, shares: Shares) -> bool:
        """Choose the slice of the next round, after `rounds` of them and with `left` seconds.

        False if the round would not end in time; the first one always runs.
        """
        if rounds < _AIMED_ROUNDS:
            besides = sum(self._overhead.get(target, _OVERHEAD) for target in shares)
            slices = sum(sum(cases.values()) for cases in shares.values())
            even = (left / (_AIMED_ROUNDS - rounds) - besides) / slices
            self.slice = min(max(even, _SHORTEST), _LONGEST)
        return not rounds or self.cost(shares) <= left

    def cost(self, shares: Shares) -> float:
        """The expected seconds of a round."""
        return sum(
            self._overhead.get(target, _OVERHEAD)
            + sum(max(self.slice * share, self._least.get(case, 0.0)) for case, share in cases.items())
            for target, cases in shares.items()
        )

    def learn(self, target: BenchTarget, seconds: float, took: Mapping[Case, float], shares: Shares) -> None:
        """Take the duration of a target's turn into account, and the seconds of its cases."""
        self._overhead[target] = max(0.0, seconds - sum(took.values()))
        for case, spent in took.items():
            self._least[case] = spent if spent > _LONGER * self.slice * shares[target][case] else 0.0

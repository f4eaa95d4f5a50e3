"""How long each case runs in a round, so that enough rounds fit the budget."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from edgener_runtime.commissioning.bench.results.record import Case

from .plan import Place

Shares = Mapping[Place, Mapping[Case, float]]
"""Of each place, how many slices each of its cases takes: one, or as many as a search has trials."""

_AIMED_ROUNDS = 8  # five are the least whose interval is believed; the rest is for what turns out slower
_SHORTEST, _LONGEST = 0.1, 3.0  # seconds of a slice: more rounds tell more than longer ones
_OVERHEAD = 1.5  # seconds of a process besides its slices, before its first round is known
_LONGER = 1.2  # times what a case was given, from where on it is known to take what it takes


@dataclass
class Pace:
    """Chooses the slice of each round; learns from each turn what a place costs besides its slices, and which cases
    take longer than they are given."""

    slice: float = _LONGEST
    _overhead: dict[Place, float] = field(default_factory=dict)
    _least: dict[Case, float] = field(default_factory=dict)

    def begin_round(self, rounds: int, left: float, shares: Shares) -> bool:
        """Choose the slice of the next round, where so many were made and so many seconds are left.

        False where the round would not end in time; the first is always made.
        """
        if rounds < _AIMED_ROUNDS:
            besides = sum(self._overhead.get(place, _OVERHEAD) for place in shares)
            slices = sum(sum(cases.values()) for cases in shares.values())
            even = (left / (_AIMED_ROUNDS - rounds) - besides) / slices
            self.slice = min(max(even, _SHORTEST), _LONGEST)
        return not rounds or self.cost(shares) <= left

    def cost(self, shares: Shares) -> float:
        """Seconds that a round will take."""
        return sum(
            self._overhead.get(place, _OVERHEAD)
            + sum(max(self.slice * share, self._least.get(case, 0.0)) for case, share in cases.items())
            for place, cases in shares.items()
        )

    def learn(self, place: Place, seconds: float, took: Mapping[Case, float], shares: Shares) -> None:
        """A turn of a place took so long in all, and its cases these seconds of it."""
        self._overhead[place] = max(0.0, seconds - sum(took.values()))
        for case, spent in took.items():
            self._least[case] = spent if spent > _LONGER * self.slice * shares[place][case] else 0.0

"""Delays between attempts to reconnect."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass


@dataclass
class Backoff:
    """Delays that double from `first` to `longest` seconds, each reduced at random to between half and all of it.

    The random share spreads the reconnections of a fleet of devices.
    """

    first: float = 1
    longest: float = 60
    share: Callable[[], float] = random.random
    _attempts: int = 0

    def delay(self) -> float:
        """Seconds to wait before the next attempt."""
        whole = min(self.longest, self.first * 2.0 ** min(self._attempts, 32))
        self._attempts += 1
        return whole * (1 + self.share()) / 2

    def reset(self) -> None:
        """Start again with the shortest delay."""
        self._attempts = 0

"""How long to wait before the next attempt."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass


@dataclass
class Backoff:
    """Seconds that double from `first` to `longest`, each cut to between half and all of it, so that a fleet of
    devices does not come back to its broker all at once."""

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
        """Begin with the shortest again."""
        self._attempts = 0

"""What every driver shares: the load it sends, the system it sends it to, and what comes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from edgener_runtime.errors import DeviceError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class System(Protocol):
    """What is measured. Only one call runs at a time, though not always in the thread that started the drive."""

    def answer(self, texts: Sequence[int]) -> None:
        """Run the texts of these numbers together; returns when all are answered."""


@dataclass(frozen=True)
class Load:
    """Queries of a scenario on texts 0 to `texts` - 1, for `seconds` and for at least `least` queries (texts, offline).

    The same seed draws the same texts at the same times. `samples_per_query` is of multi-stream. `rate` is queries a
    second of a server; at most `together` of those that wait are answered at once, and it is given up once more wait
    than come in `patience` seconds. `expected` is texts a second as `sized` estimates; drivers do it where it is None.
    """

    scenario: str
    texts: int
    seconds: float
    samples_per_query: int = 1
    rate: float | None = None
    seed: int = 0
    least: int = 64
    patience: float = 2.0
    together: int = 64  # about what the micro-batches of our server hold
    expected: float | None = None


@dataclass(frozen=True)
class Driven:
    """What came of a load: milliseconds of each query in the order of their ends, a server's from when it was due;
    seconds from the start to the last end, and texts answered. Offline is one query."""

    milliseconds: NDArray[np.float64]
    seconds: float
    texts: int


class OverrunError(DeviceError):
    """A server that is sent more queries than it answers."""


class Driver(Protocol):
    """Sends a load to a system."""

    def __call__(self, system: System, load: Load) -> Driven:
        """Raises what the system raises, OverrunError where a server's queue only grows, UserInputError for a load that
        cannot be."""

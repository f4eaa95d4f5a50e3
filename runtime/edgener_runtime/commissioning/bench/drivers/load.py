"""The types that all drivers share: the load, the system that answers it, and the result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from edgener_runtime.errors import DeviceError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class System(Protocol):
    """The measured system. Only one call runs at a time, but not always in the thread that started the load."""

    def answer(self, texts: Sequence[int]) -> None:
        """Run the texts with these numbers as one batch; returns when all are answered."""


@dataclass(frozen=True)
class Load:
    """Queries of a scenario on texts 0 to `texts` - 1, for `seconds` and for at least `least` queries (texts, offline).

    The same seed draws the same texts at the same times. `samples_per_query` applies to multi-stream. `rate` is a
    server's queries per second: it answers at most `together` waiting queries at once, and the load fails once more of
    them wait than arrive in `patience` seconds. `expected` is the estimate of `sized` in texts per second; if it is
    None, drivers estimate it.
    """

    scenario: str
    texts: int
    seconds: float
    samples_per_query: int = 1
    rate: float | None = None
    seed: int = 0
    least: int = 64
    patience: float = 2.0
    together: int = 64  # about the size of our server's micro-batches
    expected: float | None = None


@dataclass(frozen=True)
class Driven:
    """The result of a load: milliseconds of each query in the order of their ends, a server's from their due times;
    seconds from the start to the last end, and texts answered. Offline is one query."""

    milliseconds: NDArray[np.float64]
    seconds: float
    texts: int


class OverrunError(DeviceError):
    """A server receives more queries than it answers."""


class LoadDriver(Protocol):
    """Sends a load to a system."""

    def __call__(self, system: System, load: Load) -> Driven:
        """Raises what the system raises, OverrunError if a server's queue only grows, UserInputError for an invalid
        load."""

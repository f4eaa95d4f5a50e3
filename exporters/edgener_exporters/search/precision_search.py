"""The kernel of each matrix product, from all FP32 to all as fast as possible: the least noise for each time.

Noise adds up: the squared error that products put into the logits is about the sum of what each adds alone. So
the best trade of noise for time takes, product by product, the lower convex hull of (seconds, noise squared), and makes
the moves of all hulls in the order of the noise per saved second (Shoham and Gersho 1988, Efficient bit allocation for
an arbitrary set of quantizers). The effect on entities is not predicted but tried, at a few steps of the path.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from edgener_exporters.variants import FP32

ChosenKernels = dict[str, str]
Tried = TypeVar("Tried")
SPREAD = 6  # parts of the path whose ends are tried before the bisection


@dataclass(frozen=True)
class Move:
    """A product's change to a faster kernel, and the squared noise per saved second."""

    role: str
    kernel: str
    price: float


def path_of_plans(
    noise: Mapping[str, Mapping[str, float]], seconds: Mapping[str, Mapping[str, float]]
) -> list[ChosenKernels]:
    """Kernels by role, from all in FP32 to each at its fastest, one changed product per step.

    `noise` is by role and kernel without FP32; `seconds` is by role and kernel.
    """
    chosen: ChosenKernels = dict.fromkeys(noise, FP32)
    plans = [dict(chosen)]
    for move in sorted(_moves(noise, seconds), key=lambda move: move.price):
        chosen[move.role] = move.kernel
        plans.append(dict(chosen))
    return plans


def _moves(noise: Mapping[str, Mapping[str, float]], seconds: Mapping[str, Mapping[str, float]]) -> Iterator[Move]:
    for role, by_kernel in noise.items():
        squares = {FP32: 0.0, **{kernel: value**2 for kernel, value in by_kernel.items()}}
        current = FP32
        while faster := [kernel for kernel in squares if seconds[role][kernel] < seconds[role][current]]:

            def price(kernel: str, role: str = role, of: str = current, squares: dict[str, float] = squares) -> float:
                return (squares[kernel] - squares[of]) / (seconds[role][of] - seconds[role][kernel])

            current, paid = min(((kernel, price(kernel)) for kernel in faster), key=lambda pair: pair[1])
            yield Move(role, current, paid)


class PathSearch(Generic[Tried]):
    """Trials of plans along a path; `trials` has them by step.

    `attempt(step)` tries the plan of a step; no step is tried twice.
    """

    def __init__(self, steps: int, attempt: Callable[[int], Tried]) -> None:
        self.trials: dict[int, Tried] = {}
        self._last = steps - 1
        self._attempt = attempt

    def run(self, passes: Callable[[Tried], bool]) -> int:
        """The last step of the unbroken run that passes: evenly spread trials, then bisection; -1 where none passes."""
        for part in range(0, SPREAD + 1):
            self._try(round(part * self._last / SPREAD))
        good = max(self._unbroken(passes))
        if good < 0:
            return good
        bad = min((step for step in self.trials if step > good), default=self._last + 1)
        while bad - good > 1:
            middle = (good + bad) // 2
            if passes(self._try(middle)):
                good = middle
            else:
                bad = middle
        return good

    def _try(self, step: int) -> Tried:
        if step not in self.trials:
            self.trials[step] = self._attempt(step)
        return self.trials[step]

    def _unbroken(self, passes: Callable[[Tried], bool]) -> Iterator[int]:
        yield -1
        for step in sorted(self.trials):
            if not passes(self.trials[step]):
                return
            yield step

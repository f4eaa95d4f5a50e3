"""Which form each matrix product should take: from all FP32 to all as fast as can be, the least noise for the time.

Noise adds up: the squared error that products put into the logits is about the sum of what each puts there alone. So
the best trade of noise for time takes, product by product, the lower convex hull of (seconds, noise squared), and makes
the moves of all hulls in the order of what a saved second costs (Shoham and Gersho 1988, Efficient bit allocation for
an arbitrary set of quantizers). What that does to entities is not predicted but tried, at a few places of the path.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from edgener_exporters.int8_kernels import FP32

Chosen = dict[str, str]
Tried = TypeVar("Tried")
SPREAD = 6  # places of the path that are tried before the budget is closed in on


@dataclass(frozen=True)
class Move:
    """A product's step to a faster form, and the squared noise that each second saved costs."""

    role: str
    form: str
    price: float


def path_of_plans(noise: Mapping[str, Mapping[str, float]], seconds: Mapping[str, Mapping[str, float]]) -> list[Chosen]:
    """Forms by role, from all in FP32 to all in their fastest, one product changed a step.

    `noise` is by role and form but FP32, which has none; `seconds` by role and form.
    """
    chosen: Chosen = dict.fromkeys(noise, FP32)
    plans = [dict(chosen)]
    for move in sorted(_moves(noise, seconds), key=lambda move: move.price):
        chosen[move.role] = move.form
        plans.append(dict(chosen))
    return plans


def _moves(noise: Mapping[str, Mapping[str, float]], seconds: Mapping[str, Mapping[str, float]]) -> Iterator[Move]:
    for role, by_form in noise.items():
        squares = {FP32: 0.0, **{form: value**2 for form, value in by_form.items()}}
        here = FP32
        while faster := [form for form in squares if seconds[role][form] < seconds[role][here]]:

            def price(form: str, role: str = role, here: str = here, squares: dict[str, float] = squares) -> float:
                return (squares[form] - squares[here]) / (seconds[role][here] - seconds[role][form])

            here, paid = min(((form, price(form)) for form in faster), key=lambda pair: pair[1])
            yield Move(role, here, paid)


class PathSearch(Generic[Tried]):
    """Trials of plans along a path; `trials` holds them by their place.

    `attempt(place)` tries the plan at a place; no place is tried twice.
    """

    def __init__(self, places: int, attempt: Callable[[int], Tried]) -> None:
        self.trials: dict[int, Tried] = {}
        self._last = places - 1
        self._attempt = attempt

    def run(self, keeps: Callable[[Tried], bool]) -> int:
        """The last place that keeps the budgets as those before it do, first evenly, then by bisection; -1 if none."""
        for place in range(0, SPREAD + 1):
            self._try(round(place * self._last / SPREAD))
        good = max(self._unbroken(keeps))
        if good < 0:
            return good
        bad = min((place for place in self.trials if place > good), default=self._last + 1)
        while bad - good > 1:
            middle = (good + bad) // 2
            if keeps(self._try(middle)):
                good = middle
            else:
                bad = middle
        return good

    def _try(self, place: int) -> Tried:
        if place not in self.trials:
            self.trials[place] = self._attempt(place)
        return self.trials[place]

    def _unbroken(self, keeps: Callable[[Tried], bool]) -> Iterator[int]:
        yield -1
        for place in sorted(self.trials):
            if not keeps(self.trials[place]):
                return
            yield place

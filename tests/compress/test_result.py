"""The choice among candidates, the Pareto front, and what is said of a target."""

from __future__ import annotations

import pytest

from edgener.compress.candidates import ModelShape
from edgener.compress.result import (
    AnswerFigures,
    CompressedModel,
    Target,
    choose,
    meets_size_and_time,
    missed,
    pareto_front,
)
from edgener.parity.bootstrap import Estimate
from edgener_runtime.bundle.manifest import Speed, Spread


def candidate(name: str, ms: float, mb: float, f1: float | None = None, churn: float = 0.0) -> CompressedModel:
    speed = Speed(Spread(ms, ms, ms), Spread(9, 9, 9), "avx2", 1)
    lost = None if f1 is None else Estimate(f1 - 0.9, f1 - 0.92, f1 - 0.88)
    answers = None if f1 is None else AnswerFigures("valid", f1, lost, Estimate(churn, 0, 1))
    return CompressedModel(name, ModelShape(1, 1, 1), round(mb * 1e6), speed, 0.5, answers)


FULL = candidate("full", 2, 20, 0.9)
HALF = candidate("half", 1, 10, 0.895, 0.02)
TWIN = candidate("twin", 0.9, 11, 0.898, 0.02)
THIRD = candidate("third", 0.5, 5, 0.8, 0.3)
UNTRAINED = candidate("untrained", 0.1, 1)
ALL = (FULL, HALF, TWIN, THIRD, UNTRAINED)


@pytest.mark.parametrize(
    ("target", "name", "misses"),
    [
        (Target(2, None, 0.01), "full", []),
        (Target(1, None, 0.01), "twin", []),
        (Target(1, 10, 0.01), "half", []),
        (Target(0.5, None, 0.2), "third", []),
        (Target(0.5, None, 0.01), "twin", ["0.90 ms per text, the target is 0.5 ms"]),
        (Target(None, 5, 0.01), "half", ["10.0 MB, the target is 5 MB"]),
        (Target(0.1, 1, 0.2), "third", ["0.50 ms per text, the target is 0.1 ms", "5.0 MB, the target is 1 MB"]),
        (Target(1, None, 0.001), "full", ["2.00 ms per text, the target is 1 ms"]),
    ],
)
def test_the_best_that_meets_the_target_or_the_nearest(target: Target, name: str, misses: list[str]) -> None:
    chosen = choose(ALL, target)
    assert (chosen.name, [*missed(chosen, target)]) == (name, misses)
    assert meets_size_and_time(chosen, target) == (not misses)


def test_a_loss_of_f1_is_missed_too() -> None:
    assert missed(THIRD, Target(9, None, 0.05)) == ("0.1000 of entity F1 lost, the budget is 0.05",)


def test_the_front_has_no_candidate_that_another_one_beats() -> None:
    worse = candidate("worse", 1, 10, 0.89, 0.03)
    assert pareto_front((*ALL, worse)) == ("full", "half", "twin", "third")
    assert pareto_front((candidate("a", 1, 1, 0.9), candidate("b", 1, 1, 0.9))) == ("a", "b")

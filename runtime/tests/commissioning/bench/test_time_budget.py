"""How the time budget is shared out, with a synthetic clock."""

from __future__ import annotations

import pytest

from edgener_runtime.commissioning.bench.plan import BenchTarget
from edgener_runtime.commissioning.bench.results.record import Case
from edgener_runtime.commissioning.bench.time_budget import Shares, TimeBudget

PLACES = [BenchTarget(name, "cpu", 1, 1, "fp32", "0" * 64, 10, "bundle") for name in ("one", "other")]
CASES = [
    Case(target.variant, "cpu", 1, scenario, "w") for target in PLACES for scenario in ("single-stream", "offline")
]
SHARES: Shares = {PLACES[0]: dict.fromkeys(CASES[:2], 1), PLACES[1]: dict.fromkeys(CASES[2:], 1)}


def rounds_in(budget: float, overhead: float, least: float = 0.0, shares: Shares = SHARES) -> tuple[int, float]:
    """How many rounds are made of places that cost so much besides, and cases that take so long at least; and the
    seconds they take."""
    time_budget, rounds, spent = TimeBudget(), 0, 0.0
    while time_budget.begin_round(rounds, budget - spent, shares):
        for target, cases in shares.items():
            took = {case: max(least, time_budget.slice * share) for case, share in cases.items()}
            time_budget.learn(target, overhead + sum(took.values()), took, shares)
            spent += overhead + sum(took.values())
        rounds += 1
    return rounds, spent


@pytest.mark.parametrize(
    ("budget", "overhead", "least"), [(20, 0.2, 0.0), (60, 1.5, 0.0), (300, 3.0, 0.0), (120, 0.5, 2.0), (600, 9, 3.5)]
)
def test_at_least_five_rounds_are_made_within_the_budget_where_they_fit(
    budget: float, overhead: float, least: float
) -> None:
    rounds, spent = rounds_in(budget, overhead, least)
    assert rounds >= 5 and 0.6 * budget < spent <= budget


def test_the_first_round_is_always_made() -> None:
    rounds, spent = rounds_in(1.0, 5.0)
    assert rounds == 1 and spent == pytest.approx(10.4)


def test_a_generous_budget_means_more_rounds_and_not_longer_ones() -> None:
    rounds, _ = rounds_in(1000, 1.0)
    assert rounds > 50


def test_a_search_takes_as_many_slices_as_it_has_trials() -> None:
    server = {PLACES[0]: {CASES[0]: 1, CASES[1]: 8}}
    rounds, spent = rounds_in(60, 1.0, shares=server)
    assert rounds >= 5 and spent <= 60

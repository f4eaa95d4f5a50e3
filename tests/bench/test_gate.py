"""The gate counted: how often it finds a slowdown that is there, and one that is not, with noise that is known."""

from __future__ import annotations

from collections import Counter

import pytest

from edgener.bench.compare import compare

from .made import named, pair_of

TRIALS = 200


def verdicts_of(slower: float, scenario: str = "single-stream", **values: float) -> Counter[str]:
    """How trials of the gate at 5 % end; rounds spread by 0.8 %, a result has eight."""
    found: Counter[str] = Counter()
    for trial in range(TRIALS):
        base, other = map(named, pair_of(slower, trial, scenario=scenario, **values))
        found[compare(base, [other], 0.05).verdict] += 1
    return found


@pytest.mark.parametrize("scenario", ["single-stream", "offline"])
def test_a_slowdown_of_10_per_cent_is_always_found(scenario: str) -> None:
    assert verdicts_of(1.10, scenario) == {"fail": TRIALS}


@pytest.mark.parametrize("scenario", ["single-stream", "offline"])
def test_the_same_thing_twice_always_passes(scenario: str) -> None:
    assert verdicts_of(1.0, scenario) == {"pass": TRIALS}


def test_a_slowdown_of_just_what_is_allowed_rarely_fails() -> None:
    assert verdicts_of(1.05)["fail"] <= 0.05 * TRIALS


def test_on_a_noisy_machine_it_says_that_it_cannot_tell_and_not_that_it_is_slower() -> None:
    found = verdicts_of(1.0, between=0.08)
    assert found["fail"] <= 0.025 * TRIALS
    assert found["inconclusive"] > TRIALS / 2

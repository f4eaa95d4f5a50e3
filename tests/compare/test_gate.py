"""The error rates of the gate: how often it finds true and false slowdowns at a known noise."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from edgener.compare.compare import compare

from ..bench.made import made_result, made_row, named

TRIALS = 200


def verdicts_of(slower: float, scenario: str = "single-stream", shift: float = 0.0, **values: float) -> Counter[str]:
    """Verdicts of trials of the gate at 5 %; rounds spread by 0.8 %, a result has eight.

    `shift` is the spread of how fast the whole machine is from one result to the next, on a logarithmic scale.
    """
    found: Counter[str] = Counter()
    random = np.random.default_rng(1)
    for trial in range(TRIALS):
        machine = float(np.exp(shift * random.standard_normal()))
        base = made_result(made_row(10.0, 2 * trial, scenario=scenario, **values))
        other = made_row(10.0 * slower * machine, 2 * trial + 1, scenario=scenario, reference_ms=20 * machine, **values)
        found[compare(named(base), [named(made_result(other))], 0.05).verdict] += 1
    return found


@pytest.mark.parametrize("scenario", ["single-stream", "offline"])
def test_a_slowdown_of_10_per_cent_is_always_found(scenario: str) -> None:
    assert verdicts_of(1.10, scenario) == {"fail": TRIALS}


@pytest.mark.parametrize("scenario", ["single-stream", "offline"])
def test_the_same_thing_twice_always_passes(scenario: str) -> None:
    assert verdicts_of(1.0, scenario) == {"pass": TRIALS}


def test_a_slowdown_equal_to_the_limit_rarely_fails() -> None:
    assert verdicts_of(1.05)["fail"] <= 0.05 * TRIALS


def test_a_noisy_machine_gives_inconclusive_and_not_slower() -> None:
    found = verdicts_of(1.0, between=0.08)
    assert found["fail"] <= 0.025 * TRIALS
    assert found["inconclusive"] > TRIALS / 2


def test_a_machine_whose_speed_varies_makes_few_verdicts_wrong() -> None:
    same, slower = (verdicts_of(ratio, shift=0.03) for ratio in (1.0, 1.1))
    assert same["fail"] <= 0.01 * TRIALS and slower["pass"] <= 0.01 * TRIALS
    assert same["pass"] > 0.7 * TRIALS and slower["fail"] > 0.7 * TRIALS

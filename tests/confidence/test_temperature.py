"""The temperature of scores: recovered where it is known, and none where the text does not determine one."""

from __future__ import annotations

import numpy as np
import pytest

from edgener.confidence.predictions import ScoredTokens
from edgener.confidence.temperature import count_errors, fit_temperature


def drawn(temperature: float, count: int = 20_000, labels: int = 5, seed: int = 1) -> ScoredTokens:
    """Tokens whose gold labels are drawn from the probabilities of the logits divided by a temperature."""
    random = np.random.default_rng(seed)
    logits = 3 * random.standard_normal((count, labels))
    powers = np.exp(logits)
    shares = (powers / powers.sum(axis=-1, keepdims=True)).cumsum(axis=-1)
    gold = (random.random((count, 1)) > shares).sum(axis=-1).clip(0, labels - 1)
    return ScoredTokens((logits * temperature).astype(np.float32), gold)


def likelihood(tokens: ScoredTokens, temperature: float) -> float:
    """The mean negative log-likelihood, written otherwise than what fits."""
    scaled = tokens.logits.astype(float) / temperature
    shares = np.exp(scaled - np.logaddexp.reduce(scaled, axis=-1, keepdims=True))
    return float(-np.log(shares[range(len(shares)), tokens.gold]).mean())


@pytest.mark.parametrize("temperature", [0.5, 1.0, 1.7, 4.0])
def test_a_known_temperature_is_recovered(temperature: float) -> None:
    assert fit_temperature(drawn(temperature)) == pytest.approx(temperature, rel=0.03)


def test_no_other_temperature_is_more_likely() -> None:
    tokens = drawn(2.0, 500)
    found = fit_temperature(tokens)
    assert found
    least = likelihood(tokens, found)
    assert all(least < likelihood(tokens, found * factor) for factor in (0.5, 0.98, 1.02, 2.0))


def test_large_logits_do_not_overflow() -> None:
    tokens = drawn(1.5)
    far = ScoredTokens(tokens.logits + np.float32(5000), tokens.gold)
    assert fit_temperature(far) == pytest.approx(1.5, rel=0.03)


@pytest.mark.parametrize("errors", [0, 1, 9])
def test_too_few_errors_determine_no_temperature(errors: int) -> None:
    logits = np.tile(np.array([4.0, 0.0], dtype=np.float32), (1000, 1))
    gold = (np.arange(1000) < errors).astype(np.int64)
    assert count_errors(ScoredTokens(logits, gold)) == errors
    assert fit_temperature(ScoredTokens(logits, gold)) is None


def test_ten_errors_of_a_thousand_give_the_share_that_is_right() -> None:
    logits = np.tile(np.array([4.0, 0.0], dtype=np.float32), (1000, 1))
    gold = (np.arange(1000) < 10).astype(np.int64)
    assert fit_temperature(ScoredTokens(logits, gold)) == pytest.approx(4 / np.log(0.99 / 0.01), abs=1e-4)


def test_text_without_tokens_has_no_temperature() -> None:
    assert fit_temperature(ScoredTokens(np.empty((0, 3), np.float32), np.empty(0, np.int64))) is None

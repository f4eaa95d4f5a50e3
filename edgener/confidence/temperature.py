"""Temperature scaling: the one number that logits are divided by, so that scores are as high as they are right.

Guo et al. (2017), On Calibration of Modern Neural Networks: the temperature with the lowest negative log-likelihood on
validation text. Dividing all logits of a token by one number changes no order, so the most likely label stays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .predictions import ScoredTokens

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FEWEST_ERRORS = 10
_RANGE = (0.05, 20.0)
_STEPS = 40  # of bisection: the interval is then 1e-11 of what it was
_DIGITS = 4


def count_errors(tokens: ScoredTokens) -> int:
    """The tokens whose most likely label is wrong."""
    return int((tokens.logits.argmax(axis=-1) != tokens.gold).sum())


def fit_temperature(tokens: ScoredTokens) -> float | None:
    """The temperature with the lowest negative log-likelihood, from 0.05 to 20.

    None where fewer than 10 tokens are wrong: a model without errors has no finite temperature (the surer, the more
    likely), and a few errors do not determine one.
    """
    if count_errors(tokens) < FEWEST_ERRORS:
        return None
    logits = tokens.logits.astype(float)
    logits -= logits.max(axis=-1, keepdims=True)
    gold = logits[range(len(logits)), tokens.gold]
    low, high = _RANGE
    for _ in range(_STEPS):
        middle = (low * high) ** 0.5
        low, high = (low, middle) if _slope(logits, gold, 1 / middle) < 0 else (middle, high)
    return round(float((low * high) ** 0.5), _DIGITS)


def _slope(logits: NDArray[np.float64], gold: NDArray[np.float64], inverse: float) -> float:
    """How the mean negative log-likelihood, which is convex, grows with the inverse temperature.

    Below 0 the labels are likelier at a larger inverse, so the temperature is lower than that.
    """
    import numpy as np

    powers = np.exp(logits * inverse)
    expected = (powers * logits).sum(axis=-1) / powers.sum(axis=-1)
    return float((expected - gold).mean())

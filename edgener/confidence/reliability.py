"""Reliability: how often predictions of a score are right, and the expected calibration error.

Naeini et al. (2015) and Guo et al. (2017): predictions are put into bins of equal width by their scores; the error is
the mean distance of a bin's share of right predictions from its mean score, weighted by the bins' sizes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgener.data.types import Sentence
from edgener.parity.measures.tagging import Answers
from edgener_runtime.decoding.decode import softmax
from edgener_runtime.decoding.entity import AS_TRAINED, ScoreSettings

from .predictions import ScoredTokens, scored_entities, scored_tokens
from .temperature import FEWEST_ERRORS, fit_temperature

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BINS = 15


@dataclass(frozen=True)
class Bin:
    """Predictions with scores above `low` and up to `high`: their number, mean score, and the share that is right."""

    low: float
    high: float
    count: int
    score: float
    correct: float


@dataclass(frozen=True)
class Reliability:
    """The expected calibration error (0 to 1) of some predictions, and their bins; bins without any are left out."""

    error: float
    count: int
    bins: tuple[Bin, ...]


@dataclass(frozen=True)
class Corrected:
    """The reliability of the same predictions as the model scores them, and at the temperature."""

    before: Reliability
    after: Reliability | None


@dataclass(frozen=True)
class Calibration:
    """The calibration of a model's scores on a data set: of all tokens, and of the entities that it finds.

    `temperature` is the one of a bundle, or was fitted on validation text, as `origin` says; it is None where there is
    none, and `origin` says why.
    """

    temperature: float | None
    origin: str
    tokens: Corrected
    entities: Corrected


def reliability(scores: Sequence[float] | NDArray[np.float64], correct: Sequence[bool]) -> Reliability:
    """The reliability of predictions with these scores (0 to 1), of which some are correct; error 0 where none are."""
    import numpy as np

    score, right = np.asarray(scores, dtype=float), np.asarray(correct, dtype=float)
    numbers = np.clip(np.ceil(score * BINS).astype(int) - 1, 0, BINS - 1)
    bins = tuple(
        Bin(number / BINS, (number + 1) / BINS, int(here.sum()), float(score[here].mean()), float(right[here].mean()))
        for number in range(BINS)
        if (here := numbers == number).any()
    )
    error = sum(each.count * abs(each.correct - each.score) for each in bins) / max(1, len(score))
    return Reliability(float(error), len(score), bins)


def fitted(sentences: Sequence[Sentence], answers: Answers, where: str) -> tuple[float | None, str]:
    """The temperature of a model's answers to validation text, and its origin in words; None with the reason."""
    temperature = fit_temperature(scored_tokens(sentences, answers))
    if temperature is None:
        return None, f"fewer than {FEWEST_ERRORS} tokens of {where} are wrong: too few to fit a temperature"
    return temperature, f"fitted on {where}"


def calibration(
    sentences: Sequence[Sentence], answers: Answers, temperature: float | None, origin: str
) -> Calibration:  # fmt: skip
    """The calibration of a model's answers, before and after the temperature."""
    tokens = scored_tokens(sentences, answers)
    return Calibration(
        temperature,
        origin,
        Corrected(_of_tokens(tokens, 1.0), _of_tokens(tokens, temperature) if temperature else None),
        Corrected(
            _of_entities(sentences, answers, 1.0),
            _of_entities(sentences, answers, temperature) if temperature else None,
        ),
    )


def _of_tokens(tokens: ScoredTokens, temperature: float) -> Reliability:
    right = tokens.logits.argmax(axis=-1) == tokens.gold
    return reliability(softmax(tokens.logits, temperature).max(axis=-1), right)


def _of_entities(sentences: Sequence[Sentence], answers: Answers, temperature: float) -> Reliability:
    settings = AS_TRAINED if temperature == 1 else ScoreSettings(temperature)
    found = scored_entities(sentences, answers, settings)
    return reliability([entity.score for entity in found], [entity.correct for entity in found])

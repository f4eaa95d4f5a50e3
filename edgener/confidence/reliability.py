"""Reliability: how often predictions of a score are right, and the expected calibration error.

Naeini et al. (2015) and Guo et al. (2017): predictions are put into bins of equal width by their scores; the error is
the mean distance of a bin's share of right predictions from its mean score, weighted by the bins' sizes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgener.checkpoint import data_record
from edgener.data.types import Dataset, Sentence
from edgener.parity.measures.tagging import Answers
from edgener_runtime.decoding.decode import softmax
from edgener_runtime.decoding.entity import ScoreSettings

from .predictions import ScoredTokens, scored_entities, scored_tokens
from .temperature import FEWEST_ERRORS, fit_temperature

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BINS = 15
OF_TOKENS = "first"  # a token has the label of its first subword, as where tokens are scored


@dataclass(frozen=True)
class Bin:
    """Predictions with scores above `low` and up to `high`: their number, mean score, and the share that is right."""

    low: float
    high: float
    count: int
    score: float
    correct: float


@dataclass(frozen=True)
class Curve:
    """The expected calibration error (0 to 1) of some predictions, and their bins; bins without any are left out."""

    error: float
    count: int
    bins: tuple[Bin, ...]


@dataclass(frozen=True)
class Corrected:
    """The curves of the same predictions as the model scores them, and at the temperature."""

    before: Curve
    after: Curve | None


@dataclass(frozen=True)
class Reliability:
    """The reliability of a model's scores on a data set: of all tokens, and of the entities that it finds.

    `temperature` is the one of a bundle, or was fitted on validation text, as `origin` says; it is None where there is
    none, and `origin` says why.
    """

    temperature: float | None
    origin: str
    tokens: Corrected
    entities: Corrected

    @property
    def kinds(self) -> dict[str, Corrected]:
        """The curves by what was predicted."""
        return {"tokens": self.tokens, "entities": self.entities}

    def __str__(self) -> str:
        return (
            f"temperature {self.temperature:g}, {self.origin}" if self.temperature else f"no temperature: {self.origin}"
        )


def curve_of(scores: Sequence[float] | NDArray[np.float32], correct: Sequence[bool] | NDArray[np.bool_]) -> Curve:
    """The curve of predictions with these scores (0 to 1), of which some are correct; error 0 where none are."""
    import numpy as np

    score, right = np.asarray(scores, dtype=float), np.asarray(correct, dtype=float)
    numbers = np.clip(np.ceil(score * BINS).astype(int) - 1, 0, BINS - 1)
    bins = tuple(
        Bin(number / BINS, (number + 1) / BINS, int(here.sum()), float(score[here].mean()), float(right[here].mean()))
        for number in range(BINS)
        if (here := numbers == number).any()
    )
    error = sum(each.count * abs(each.correct - each.score) for each in bins) / max(1, len(score))
    return Curve(float(error), len(score), bins)


def fitted(valid: Dataset, answers: Answers) -> tuple[float | None, str]:
    """The temperature of a model's answers to validation text, and its origin in words; None with the reason."""
    temperature = fit_temperature(scored_tokens(valid.sentences, answers))
    where = f"{data_record(valid).source} ({valid.split})"
    if temperature is None:
        return None, f"fewer than {FEWEST_ERRORS} tokens of {where} are wrong, too few to fit a temperature"
    return temperature, f"fitted on {where}"


def reliability(sentences: Sequence[Sentence], answers: Answers, temperature: float | None, origin: str) -> Reliability:
    """The reliability of a model's answers, before and after the temperature."""
    tokens = scored_tokens(sentences, answers)
    return Reliability(
        temperature,
        origin,
        Corrected(_of_tokens(tokens, 1.0), _of_tokens(tokens, temperature) if temperature else None),
        Corrected(
            _of_entities(sentences, answers, 1.0),
            _of_entities(sentences, answers, temperature) if temperature else None,
        ),
    )


def _of_tokens(tokens: ScoredTokens, temperature: float) -> Curve:
    right = tokens.logits.argmax(axis=-1) == tokens.gold
    return curve_of(softmax(tokens.logits, temperature).max(axis=-1), right)


def _of_entities(sentences: Sequence[Sentence], answers: Answers, temperature: float) -> Curve:
    found = scored_entities(sentences, answers, ScoreSettings(temperature, aggregation=OF_TOKENS))
    return curve_of([entity.score for entity in found], [entity.correct for entity in found])

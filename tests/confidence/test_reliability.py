"""The expected calibration error, compared with one worked out by hand and with another program of it."""

from __future__ import annotations

import numpy as np
import pytest

from edgener.confidence.reliability import BINS, curve_of


def test_the_error_of_four_predictions_by_hand() -> None:
    """Bins 0.6..0.667 (half right), 0.733..0.8 (right) and 0.933..1 (wrong): 0.5 * 0.13 + 0.25 * 0.2 + 0.25 * 1."""
    curve = curve_of([0.62, 0.64, 0.8, 1.0], [True, False, True, False])
    assert curve.error == pytest.approx(2 / 4 * abs(0.5 - 0.63) + 1 / 4 * abs(1 - 0.8) + 1 / 4 * abs(0 - 1.0))
    assert [(each.count, each.score, each.correct) for each in curve.bins] == [
        (2, pytest.approx(0.63), 0.5), (1, pytest.approx(0.8), 1.0), (1, 1.0, 0.0),
    ]  # fmt: skip
    assert [(each.low, each.high) for each in curve.bins] == [(9 / 15, 10 / 15), (11 / 15, 12 / 15), (14 / 15, 1.0)]


def reference(scores: list[float], correct: list[bool]) -> float:
    """Guo et al.'s definition, one bin and one prediction at a time."""
    error = 0.0
    for number in range(BINS):
        own = [i for i, score in enumerate(scores) if number / BINS < score <= (number + 1) / BINS]
        if own:
            accuracy = sum(correct[i] for i in own) / len(own)
            confidence = sum(scores[i] for i in own) / len(own)
            error += len(own) / len(scores) * abs(accuracy - confidence)
    return error


@pytest.mark.parametrize("seed", range(5))
def test_the_error_is_that_of_its_definition(seed: int) -> None:
    random = np.random.default_rng(seed)
    scores, correct = random.random(300), random.random(300) < 0.7
    assert curve_of(scores, correct).error == pytest.approx(reference(scores.tolist(), correct.tolist()))


def test_predictions_that_are_as_often_right_as_they_say_have_nearly_no_error() -> None:
    random = np.random.default_rng(1)
    scores = random.random(200_000)
    right = random.random(200_000) < scores
    assert curve_of(scores, right).error < 0.01
    assert curve_of(scores, random.random(200_000) < scores**2).error > 0.1


@pytest.mark.parametrize("score", [0.0, 1.0])
def test_the_ends_of_the_range_are_in_the_first_and_the_last_bin(score: float) -> None:
    curve = curve_of([score], [True])
    assert (curve.count, curve.error) == (1, 1 - score)


def test_no_predictions_have_no_error_and_no_bins() -> None:
    curve = curve_of([], [])
    assert (curve.error, curve.count, curve.bins) == (0.0, 0, ())

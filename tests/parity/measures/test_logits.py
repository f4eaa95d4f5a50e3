"""Distances of logits and calibration errors, against cases worked out by hand."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from edgener.data.types import Sentence
from edgener.parity.measures.logits import LogitFigures, calibration_error, log_softmax, logit_figures
from edgener.parity.measures.tagging import Answers
from edgener_runtime.decoding.schemes import LabelSet
from edgener_runtime.pipeline import TokenLogits

from ..made import answers, sentence, with_logits

LABELS = ("O", "B-LOC")
Rows = Sequence[Sequence[float]]


def compared(pytorch: Rows, variant: Rows, gold: str = "") -> LogitFigures:
    """The figures of one sentence, from logits (tokens, 2) of either side."""
    sentences = [sentence(gold or "O " * len(pytorch))]
    sides = [answers(sentences, [with_logits(sentences[0], rows)], LABELS) for rows in (pytorch, variant)]
    return logit_figures(sentences, *sides)


def test_distances_are_over_all_subwords_and_labels() -> None:
    found = compared([[1, 2], [0, -2]], [[1.5, 2], [0, -1]])
    assert found.max_difference == 1
    assert found.mean_difference == pytest.approx(1.5 / 4)
    assert found.relative_l2 == pytest.approx(math.sqrt(0.25 + 1) / math.sqrt(1 + 4 + 4))


def test_the_divergence_is_of_the_variants_probabilities_from_pytorchs() -> None:
    even, skewed = [math.log(0.5)] * 2, [math.log(0.25), math.log(0.75)]
    expected = 0.5 * math.log(0.5 / 0.25) + 0.5 * math.log(0.5 / 0.75)
    assert compared([even], [skewed]).kl == pytest.approx(expected, rel=1e-6)
    assert compared([even, even], [skewed, even]).kl == pytest.approx(expected / 2, rel=1e-6)  # a mean over subwords
    backwards = 0.25 * math.log(0.25 / 0.5) + 0.75 * math.log(0.75 / 0.5)
    assert compared([skewed], [even]).kl == pytest.approx(backwards, rel=1e-6)


def test_where_pytorch_says_nothing_at_all_the_relative_distance_does_not_divide_by_zero() -> None:
    assert compared([[0, 0]], [[1, 0]]).relative_l2 == 0


def test_without_a_subword_all_is_zero() -> None:
    none = TokenLogits(np.empty(0, dtype=np.int64), np.empty((0, 2), dtype=np.int64), np.empty((0, 2), np.float32))
    nothing = Answers(LabelSet(LABELS), [none], [[]])
    assert logit_figures([Sentence("", (), ())], nothing, nothing) == LogitFigures(0.0, 0.0, 0.0, 0.0)


logits = arrays(
    np.float32, array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=6), elements=st.floats(-50, 50, width=32)
)


@given(logits)
def test_nothing_is_far_from_itself(rows: np.ndarray) -> None:
    sentences = [sentence("O " * len(rows))]
    labels = tuple(f"B-{i}" for i in range(rows.shape[1]))
    same = answers(sentences, [with_logits(sentences[0], rows)], labels)
    found = logit_figures(sentences, same, same)
    assert (found.max_difference, found.mean_difference, found.relative_l2, found.kl) == (0, 0, 0, 0)


@given(logits, st.floats(-30, 30, width=32))
def test_probabilities_add_up_and_do_not_change_when_all_logits_shift(rows: np.ndarray, shift: float) -> None:
    logarithms = log_softmax(rows.astype(float))
    np.testing.assert_allclose(np.exp(logarithms).sum(axis=-1), 1)
    np.testing.assert_allclose(log_softmax(rows.astype(float) + shift), logarithms, atol=1e-9)


@given(logits)
def test_a_divergence_is_never_negative(rows: np.ndarray) -> None:
    sentences = [sentence("O " * len(rows))]
    labels = tuple(f"B-{i}" for i in range(rows.shape[1]))
    sides = [answers(sentences, [with_logits(sentences[0], each)], labels) for each in (rows, rows[::-1])]
    assert logit_figures(sentences, *sides).kl >= 0


def test_logits_beyond_what_exp_can_hold_are_fine() -> None:
    found = compared([[1e4, -1e4]], [[-1e4, 1e4]])
    assert math.isfinite(found.kl) and found.kl == pytest.approx(2e4)


# --- calibration


def test_a_calibration_error_by_hand() -> None:
    """In the bin of 0.95, 19 of 20 expected and one of two right; in that of 0.55, both right."""
    sure = np.array([0.95, 0.95, 0.55, 0.55])
    right = np.array([True, False, True, True])
    assert calibration_error(sure, right) == pytest.approx((abs(1.9 - 1) + abs(1.1 - 2)) / 4)


def test_within_a_bin_too_sure_and_too_modest_cancel_out_and_between_bins_they_do_not() -> None:
    assert calibration_error(np.array([0.5, 0.5]), np.array([True, False])) == 0
    assert calibration_error(np.array([0.9, 0.6]), np.array([True, False])) == pytest.approx((0.1 + 0.6) / 2)


@pytest.mark.parametrize(("right", "error"), [(True, 0.0), (False, 1.0)])
def test_whoever_is_quite_sure_is_in_the_last_bin(right: bool, error: float) -> None:
    assert calibration_error(np.array([1.0]), np.array([right])) == error


@pytest.mark.parametrize(
    ("sure", "error"),
    [
        ((0.61, 0.68), (0.39 + 0.68) / 2),  # on both sides of 10/15
        ((0.59, 0.61), (0.41 + 0.61) / 2),  # of 9/15
        ((0.97, 1.0), (1.97 - 1) / 2),  # both in the last
    ],
)
def test_there_are_fifteen_bins_of_one_width(sure: tuple[float, float], error: float) -> None:
    assert calibration_error(np.array(sure), np.array([True, False])) == pytest.approx(error)


def test_of_no_answer_there_is_no_error() -> None:
    assert calibration_error(np.empty(0), np.empty(0, dtype=bool)) == 0


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=40))
def test_an_error_lies_between_0_and_1_and_above_the_gap_of_the_means(answered: list[tuple[float, bool]]) -> None:
    sure, right = (np.array(side) for side in zip(*answered, strict=True))
    error = calibration_error(sure, right)
    assert abs(sure.mean() - right.mean()) - 1e-9 <= error <= 1


def test_calibration_is_measured_for_both_against_gold_tokens() -> None:
    sure, modest = [0.0, 10.0], [0.0, math.log(0.6 / 0.4)]  # B-LOC
    found = compared([sure, sure], [modest, modest], gold="B-LOC O")
    assert found.ece_pytorch == pytest.approx(0.5, abs=1e-3)  # sure of both, right once
    assert found.ece == pytest.approx(0.1, abs=1e-6)


def test_a_token_without_a_subword_has_no_confidence() -> None:
    of = Sentence("x \u200b y", ((0, 1), (2, 3), (4, 5)), sentence("B-LOC").spans)
    offsets = np.array([(0, 1), (4, 5)], dtype=np.int64)
    both = TokenLogits(np.array([5, 6]), offsets, np.array([[0, 20], [20, 0]], dtype=np.float32))
    side = answers([of], [both], LABELS)
    assert logit_figures([of], side, side).ece == pytest.approx(0, abs=1e-6)


def test_without_gold_entities_there_is_no_calibration_error() -> None:
    found = compared([[1, 0]], [[1, 0]])
    assert found.ece is found.ece_pytorch is None

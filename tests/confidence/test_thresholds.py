"""Thresholds: the lowest that shows a precision, and none where that cannot be shown."""

from __future__ import annotations

from fractions import Fraction
from math import comb

import numpy as np
import pytest

from edgener.confidence.predictions import ScoredEntity
from edgener.confidence.thresholds import (
    Detection,
    choose_threshold,
    detection,
    fewest_examples,
    lower_end,
    shows,
    tail,
)


def entities(scores: list[float], wrong: set[int] = frozenset(), label: str = "A") -> list[ScoredEntity]:  # type: ignore[assignment]
    return [ScoredEntity(label, score, number not in wrong) for number, score in enumerate(scores)]


def exact_tail(count: int, least: int, share: Fraction) -> Fraction:
    return sum(
        (comb(count, right) * share**right * (1 - share) ** (count - right) for right in range(least, count + 1)),
        start=Fraction(0),
    )


@pytest.mark.parametrize(("count", "least"), [(1, 1), (10, 7), (59, 59), (200, 180), (40, 0)])
def test_the_binomial_tail_is_that_of_exact_fractions(count: int, least: int) -> None:
    assert tail(count, least, 0.875) == pytest.approx(float(exact_tail(count, least, Fraction(7, 8))), rel=1e-9)


def test_the_lower_ends_are_those_of_the_tables_of_clopper_and_pearson() -> None:
    assert lower_end(10, 10) == pytest.approx(0.05 ** (1 / 10), abs=1e-4)  # 0.7411
    assert lower_end(59, 59) == pytest.approx(0.05 ** (1 / 59), abs=1e-4)  # 0.9505
    assert lower_end(20, 18) == pytest.approx(0.7174, abs=2e-4)
    assert lower_end(20, 0) == 0


@pytest.mark.parametrize(("precision", "count"), [(0.95, 59), (0.9, 29), (0.5, 5), (0.99, 299)])
def test_the_fewest_examples_are_the_first_that_show_it(precision: float, count: int) -> None:
    assert fewest_examples(precision) == count
    assert shows(count, count, precision) and not shows(count - 1, count - 1, precision)


def test_the_lowest_threshold_is_chosen() -> None:
    """100 entities, of which the ten with the lowest scores are wrong: 0.9 is shown from where few of them count."""
    own = entities([0.5 + number / 1000 for number in range(100)], wrong=set(range(10)))
    choice = choose_threshold(own, "A", 0.9)
    assert choice.threshold
    kept = detection(own, "A", 100, choice.threshold)
    assert shows(kept.found, kept.correct, 0.9)
    lower = detection(own, "A", 100, choice.threshold - 0.001)
    assert lower.found == kept.found + 1 and not shows(lower.found, lower.correct, 0.9)


@pytest.mark.parametrize("seed", range(4))
def test_no_lower_candidate_shows_the_precision(seed: int) -> None:
    random = np.random.default_rng(seed)
    scores = random.random(300)
    own = [ScoredEntity("A", float(score), bool(random.random() < score**0.3)) for score in scores]
    choice = choose_threshold(own, "A", 0.8)
    assert choice.threshold is not None
    for number in range(10_000):
        found = detection(own, "A", 0, number / 10_000)
        if shows(found.found, found.correct, 0.8):
            assert number / 10_000 <= choice.threshold < number / 10_000 + 0.02  # the next score below it
            break


def test_labels_do_not_help_each_other() -> None:
    sure = entities([0.9] * 200, label="A")
    few = entities([0.9] * 20, label="B")
    assert choose_threshold(sure + few, "A", 0.95).threshold == 0
    choice = choose_threshold(sure + few, "B", 0.95)
    assert (choice.threshold, choice.too_few) == (None, True)
    assert choice.why == "20 entities are found, and 59 are needed even if all are right"


def test_a_precision_that_is_reached_already_needs_no_threshold() -> None:
    assert choose_threshold(entities([0.2, 0.9] * 100), "A", 0.95).threshold == 0


def test_an_unreachable_precision_says_what_the_best_threshold_shows() -> None:
    own = entities([0.9] * 100, wrong=set(range(20)))
    choice = choose_threshold(own, "A", 0.95)
    assert (choice.threshold, choice.too_few) == (None, False)
    assert choice.why == f"at best 80 of 100 entities are right, which shows a precision of {lower_end(100, 80):.4f}"


def test_entities_with_one_score_are_kept_or_omitted_together() -> None:
    own = entities([0.7] * 50 + [0.9] * 100, wrong=set(range(25)))
    assert choose_threshold(own, "A", 0.95).threshold == 0.9


def test_a_threshold_is_rounded_down_such_that_its_own_entity_stays() -> None:
    own = entities([0.3] * 30 + [0.87654321] * 100, wrong=set(range(30)))
    assert choose_threshold(own, "A", 0.95).threshold == 0.8765


def test_sure_scores_near_1_are_told_apart_to_four_digits() -> None:
    own = entities([0.99905] * 30 + [0.99985] * 100, wrong=set(range(30)))
    choice = choose_threshold(own, "A", 0.95)
    assert choice.threshold == 0.9998 and detection(own, "A", 100, 0.9998).found == 100


def test_figures_without_examples_are_none() -> None:
    assert (Detection(0, 0, 0).precision, Detection(0, 0, 0).recall) == (None, None)
    assert Detection(4, 3, 6) + Detection(1, 1, 2) == Detection(5, 4, 8)


def test_the_true_precision_is_seldom_below_the_asked_one() -> None:
    """Scores that are as often right as they say, so the true precision of each threshold is known.

    The lowest of many thresholds is taken, yet hardly more than the 5 % of a single one miss.
    """
    random = np.random.default_rng(5)
    everyone = 1 - random.random(50_000) ** 2 * 0.9
    missed = 0
    for _ in range(150):
        scores = 1 - random.random(300) ** 2 * 0.9
        own = [ScoredEntity("A", float(score), bool(random.random() < score)) for score in scores]
        threshold = choose_threshold(own, "A", 0.9).threshold
        missed += threshold is not None and everyone[everyone >= threshold].mean() < 0.9
    assert missed <= 150 * 0.12

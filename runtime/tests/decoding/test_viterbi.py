"""The most likely labels that IOB2 allows."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edgener_runtime.decoding.viterbi import AllowedPaths

LABELS = ("O", "B-A", "I-A", "B-B", "I-B")


def allowed(path: tuple[int, ...], labels: tuple[str, ...]) -> bool:
    """By the rule as it is written: I-X stands behind B-X or I-X."""
    before = ["O", *(labels[i] for i in path)]
    return all(
        not labels[i].startswith("I-") or before[place] in (f"B-{labels[i][2:]}", labels[i])
        for place, i in enumerate(path)
    )


def best_by_hand(scores: NDArray[np.float32], labels: tuple[str, ...]) -> float:
    """The log-probability of the most likely of all allowed paths, each of them tried."""
    logs = np.log(np.maximum(scores, np.finfo(np.float32).tiny))
    paths = (path for path in product(range(len(labels)), repeat=len(scores)) if allowed(path, labels))
    return max(sum(float(logs[place, i]) for place, i in enumerate(path)) for path in paths)


@settings(max_examples=60)
@given(st.lists(st.integers(1, 4), min_size=1, max_size=5), st.integers(0, 2**32 - 1))
def test_each_text_has_the_best_of_all_allowed_paths(lengths: list[int], seed: int) -> None:
    chance = np.random.default_rng(seed)
    scores = chance.dirichlet(np.ones(len(LABELS)), sum(lengths)).astype(np.float32)
    firsts = np.cumsum([0, *lengths[:-1]])
    found = AllowedPaths(LABELS).best(scores, firsts)
    for first, length in zip(firsts, lengths, strict=True):
        path, own = tuple(found[first : first + length]), scores[first : first + length]
        assert allowed(path, LABELS)
        score = sum(float(np.log(own[place, i])) for place, i in enumerate(path))
        assert score == pytest.approx(best_by_hand(own, LABELS), abs=1e-4)


def test_labels_that_are_allowed_anyway_stay_as_they_are() -> None:
    likely = [0, 1, 2, 2, 0, 3, 4, 1]
    scores = np.full((len(likely), len(LABELS)), 0.02, dtype=np.float32)
    scores[np.arange(len(likely)), likely] = 0.92
    assert AllowedPaths(LABELS).best(scores, np.array([0])).tolist() == likely


def test_a_text_may_not_go_on_with_what_the_text_before_it_began() -> None:
    scores = np.array([[0.1, 0.9, 0, 0, 0], [0.2, 0.1, 0.7, 0, 0]], dtype=np.float32)
    assert AllowedPaths(LABELS).best(scores, np.array([0])).tolist() == [1, 2]
    assert AllowedPaths(LABELS).best(scores, np.array([0, 1])).tolist() == [1, 0]


def test_a_type_without_a_b_label_never_occurs() -> None:
    scores = np.array([[0.3, 0.7], [0.1, 0.9]], dtype=np.float32)
    assert AllowedPaths(("O", "I-A")).best(scores, np.array([0])).tolist() == [0, 0]


def test_a_label_of_no_probability_is_still_a_path() -> None:
    scores = np.array([[0, 0, 1, 0, 0]], dtype=np.float32)
    assert AllowedPaths(LABELS).best(scores, np.array([0])).tolist() != [2]

"""The most likely labels that their scheme allows."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edgener_runtime.decoding.schemes import LabelSet
from edgener_runtime.decoding.viterbi import AllowedPaths

LABELS = LabelSet(("O", "B-A", "I-A", "B-B", "I-B"))
# Each scheme with its labels, and what may follow what: prefixes of one type, then of any two, from start to end (O).
RULES = {
    "IOB2": (LABELS.names, "BI II", "OO OB BO BB IO IB"),
    "IOB1": (LABELS.names, "BI II IB BB", "OO OI BO BI IO II"),
    "IO": (("O", "I-A", "I-B"), "II", "OO OI IO II"),
    "BIOES": (("O", "B-A", "I-A", "E-A", "S-A", "S-B"), "BI BE II IE", "OO OB OS EO EB ES SO SB SS"),
    "BMES": (("B-A", "M-A", "E-A", "S-A", "O"), "BM BE MM ME", "OO OB OS EO EB ES SO SB SS"),
    "BILOU": (("O", "L-A", "I-A", "B-A", "U-A", "U-B"), "BI BL II IL", "OO OB OU LO LB LU UO UB UU"),
    "BIOS": (("O", "B-A", "I-A", "S-A"), "BI II", "OO OB OS IO IB IS SO SB SS"),
    "BIOE": (("O", "B-A", "I-A", "E-A"), "BI BE II IE", "OO OB BO BB EO EB"),
}


def allowed(path: tuple[int, ...], label_set: LabelSet) -> bool:
    """By the rules as they are written."""
    labels, within, across = RULES[label_set.scheme]
    return all(
        (one[0] + other[0] in within.split() and one[1:] == other[1:]) or one[0] + other[0] in across.split()
        for one, other in pairwise(["O", *(labels[i] for i in path), "O"])
    )


def best_by_hand(scores: NDArray[np.float32], label_set: LabelSet) -> float:
    """The log-probability of the most likely of all allowed paths, each of them tried."""
    logs = np.log(np.maximum(scores, np.finfo(np.float32).tiny))
    paths = (path for path in product(range(len(label_set.names)), repeat=len(scores)) if allowed(path, label_set))
    return max(sum(float(logs[place, i]) for place, i in enumerate(path)) for path in paths)


@pytest.mark.parametrize("scheme", RULES)
@settings(max_examples=40)
@given(lengths=st.lists(st.integers(1, 4), min_size=1, max_size=4), seed=st.integers(0, 2**32 - 1))
def test_each_text_has_the_best_of_all_allowed_paths(scheme: str, lengths: list[int], seed: int) -> None:
    chance, label_set = np.random.default_rng(seed), LabelSet(RULES[scheme][0], scheme)
    scores = chance.dirichlet(np.ones(len(label_set.names)), sum(lengths)).astype(np.float32)
    firsts = np.cumsum([0, *lengths[:-1]])
    found = AllowedPaths(label_set).best(scores, firsts)
    for first, length in zip(firsts, lengths, strict=True):
        path, own = tuple(found[first : first + length]), scores[first : first + length]
        assert allowed(path, label_set)
        score = sum(float(np.log(own[place, i])) for place, i in enumerate(path))
        assert score == pytest.approx(best_by_hand(own, label_set), abs=1e-4)


def test_within_a_word_a_label_may_repeat() -> None:
    labels = LabelSet(("O", "B-A", "E-A"), "BIOES")
    scores = np.array([[0, 1, 0], [0, 0, 1], [0.1, 0, 0.9]], dtype=np.float32)
    assert AllowedPaths(labels).best(scores, np.array([0])).tolist() == [1, 2, 0]
    assert AllowedPaths(labels).best(scores, np.array([0]), [False, False, True]).tolist() == [1, 2, 2]


def test_an_e_label_without_an_i_label_of_its_type_follows_its_b_label_alone() -> None:
    scores = np.array([[0, 1, 0], [0.1, 0, 0.9], [0.1, 0, 0.9]], dtype=np.float32)
    assert AllowedPaths(LabelSet(("O", "B-A", "E-A"), "BIOES")).best(scores, np.array([0])).tolist() == [1, 2, 0]


def test_labels_that_are_allowed_anyway_stay_as_they_are() -> None:
    likely = [0, 1, 2, 2, 0, 3, 4, 1]
    scores = np.full((len(likely), len(LABELS.names)), 0.02, dtype=np.float32)
    scores[np.arange(len(likely)), likely] = 0.92
    assert AllowedPaths(LABELS).best(scores, np.array([0])).tolist() == likely


def test_a_text_may_not_go_on_with_what_the_text_before_it_began() -> None:
    scores = np.array([[0.1, 0.9, 0, 0, 0], [0.2, 0.1, 0.7, 0, 0]], dtype=np.float32)
    assert AllowedPaths(LABELS).best(scores, np.array([0])).tolist() == [1, 2]
    assert AllowedPaths(LABELS).best(scores, np.array([0, 1])).tolist() == [1, 0]


def test_a_type_without_a_b_label_never_occurs() -> None:
    scores = np.array([[0.3, 0.7], [0.1, 0.9]], dtype=np.float32)
    assert AllowedPaths(LabelSet(("O", "I-A"))).best(scores, np.array([0])).tolist() == [0, 0]


def test_a_label_of_no_probability_is_still_a_path() -> None:
    scores = np.array([[0, 0, 1, 0, 0]], dtype=np.float32)
    assert AllowedPaths(LABELS).best(scores, np.array([0])).tolist() != [2]

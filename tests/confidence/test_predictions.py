"""Predictions with their scores, compared with the gold labels of sentences."""

from __future__ import annotations

import numpy as np
import pytest

from edgener.confidence.predictions import ScoredEntity, scored_entities, scored_tokens
from edgener.data.types import Sentence, Span
from edgener.parity.measures.tagging import Answers
from edgener_runtime.decoding.entity import ScoreSettings
from edgener_runtime.decoding.schemes import LabelSet
from edgener_runtime.pipeline import TokenLogits

LABELS = LabelSet(("O", "B-A", "I-A"))
SENTENCE = Sentence("oil leak at P-1", ((0, 3), (4, 8), (9, 11), (12, 15)), (Span("A", 0, 2), Span("A", 3, 4)))


def answers(best: list[int], offsets: list[tuple[int, int]], labels: LabelSet = LABELS) -> Answers:
    """One text, each subword sure (2 against 0) of its best label."""
    logits = np.zeros((len(best), len(labels.names)), dtype=np.float32)
    logits[range(len(best)), best] = 2
    return Answers(labels, [TokenLogits(np.array(range(len(best))), np.array(offsets).reshape(-1, 2), logits)], [[]])


SUBWORDS = [(0, 3), (4, 6), (6, 8), (9, 11), (12, 13), (13, 15)]


def test_tokens_have_the_logits_of_their_first_subword_and_the_gold_label() -> None:
    found = scored_tokens([SENTENCE], answers([1, 2, 0, 0, 1, 0], SUBWORDS))
    assert found.logits.argmax(axis=-1).tolist() == [1, 2, 0, 1]
    assert found.gold.tolist() == [1, 2, 0, 1]


def test_a_token_without_subword_or_with_a_label_that_the_model_does_not_have_is_left_out() -> None:
    without = scored_tokens([SENTENCE], answers([1, 0, 1], [(0, 3), (9, 11), (12, 15)]))
    assert without.gold.tolist() == [1, 0, 1]
    other = LabelSet(("O", "B-A"))
    assert scored_tokens([SENTENCE], answers([1, 0, 0, 0, 1, 1], SUBWORDS, other)).gold.tolist() == [1, 0, 1]


def test_the_outside_label_is_gold_where_others_are_outside_too() -> None:
    labels = LabelSet(("[CLS]", "O", "B-A", "I-A"), ignored=("[CLS]",))
    assert scored_tokens([SENTENCE], answers([2, 3, 1, 1, 2, 2], SUBWORDS, labels)).gold.tolist() == [2, 3, 1, 2]


def test_entities_are_right_where_label_start_and_end_are() -> None:
    score = float(np.exp(2) / (np.exp(2) + 2))
    found = scored_entities([SENTENCE], answers([1, 2, 0, 0, 1, 0], SUBWORDS), ScoreSettings(aggregation="first"))
    assert [each.correct for each in found] == [True, True]
    assert [each.score for each in found] == pytest.approx([score] * 2)
    short = scored_entities([SENTENCE], answers([1, 0, 0, 1, 1, 0], SUBWORDS), ScoreSettings(aggregation="first"))
    assert [each.correct for each in short] == [False, False, True]


def test_scores_are_at_the_temperature() -> None:
    settings = ScoreSettings(2.0, {"A": 1.0}, "first")
    [found] = scored_entities([SENTENCE], answers([0, 0, 0, 0, 1, 1], SUBWORDS), settings)
    assert found == ScoredEntity("A", pytest.approx(np.exp(1) / (np.exp(1) + 2)), True)


def test_sentences_without_text_have_nothing() -> None:
    empty = Sentence("", (), ())
    assert len(scored_tokens([empty], answers([], [])).gold) == 0
    assert scored_entities([empty], answers([], []), ScoreSettings()) == []

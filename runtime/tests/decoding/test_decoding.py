"""Decoding options: thresholds, strict labels, units of offsets."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from edgener_runtime import Decoding, TokenClassifier, UserInputError
from edgener_runtime.decoding.decode import Decoder, Scored
from edgener_runtime.decoding.schemes import LabelSet

TEXT = "🔧 Feed pump P-101: oil leak, 泵"
LABELS = ("O", "B-PART", "I-PART", "B-FAULT", "I-FAULT")


def decoded(tags: list[dict[str, float]], decoding: Decoding) -> list[tuple[str, str]]:
    """(label, text) of the entities of a text of one-letter words with these probabilities."""
    scores = np.full((len(tags), len(LABELS)), 1e-6, dtype=np.float32)
    for row, known in zip(scores, tags, strict=True):
        row[[LABELS.index(label) for label in known]] = list(known.values())
    offsets = np.array([(2 * i, 2 * i + 1) for i in range(len(tags))])
    scored = Scored(np.log(scores), offsets, lambda: [False] * len(tags), [len(tags)])
    [entities] = Decoder(LabelSet(LABELS)).entities([" ".join("abcdefgh"[: len(tags)])], scored, decoding)
    return [(entity.label, entity.text) for entity in entities]


UNSURE = [{"B-PART": 0.9, "O": 0.1}, {"I-PART": 0.6, "O": 0.4}, {"B-FAULT": 0.55, "O": 0.45}]


@pytest.mark.parametrize(
    ("thresholds", "expected"),
    [
        ({}, [("PART", "a b"), ("FAULT", "c")]),
        ({"FAULT": 0.6}, [("PART", "a b")]),
        ({"PART": 0.8}, [("FAULT", "c")]),
        ({"PART": 0.7}, [("PART", "a b"), ("FAULT", "c")]),
        ({"PART": 1, "FAULT": 1}, []),
    ],
)
def test_an_entity_below_its_label_s_threshold_is_left_out(
    thresholds: dict[str, float], expected: list[tuple[str, str]]
) -> None:
    assert decoded(UNSURE, Decoding(thresholds=thresholds)) == expected


def test_a_threshold_of_a_label_that_there_is_not_is_reported(classifier: TokenClassifier) -> None:
    with pytest.raises(UserInputError, match="there is no label 'PUMP'"):
        classifier.predict("oil leak", Decoding(thresholds={"PUMP": 0.5}))


@pytest.mark.parametrize("score", [-0.1, 1.01, float("nan")])
def test_a_threshold_is_a_score(score: float) -> None:
    with pytest.raises(UserInputError, match="expected a score from 0 to 1"):
        Decoding(thresholds={"PART": score})


@pytest.mark.parametrize("options", [{"aggregation": "mean"}, {"offsets": "bytes"}])
def test_what_there_is_not_is_reported_with_what_there_is(options: dict[str, Any]) -> None:
    with pytest.raises(UserInputError, match="there is no") as refused:
        Decoding(**options)
    assert refused.value.hint and refused.value.hint.startswith("Choose one of: ")


def test_strict_labels_begin_an_entity_or_leave_it_out() -> None:
    stray = [{"O": 0.9}, {"I-PART": 0.6, "O": 0.3}, {"O": 0.9}]
    assert decoded(stray, Decoding()) == [("PART", "b")]
    assert decoded(stray, Decoding(strict=True)) == []
    started = [{"O": 0.5, "B-PART": 0.45}, {"I-PART": 0.9}]
    assert decoded(started, Decoding()) == [("PART", "b")]
    assert decoded(started, Decoding(strict=True)) == [("PART", "a b")]


@pytest.mark.parametrize(("offsets", "encoding", "width"), [("utf8", "utf-8", 1), ("utf16", "utf-16-le", 2)])
def test_offsets_cut_the_entity_out_of_the_encoded_text(
    offsets: str, encoding: str, width: int, classifier: TokenClassifier
) -> None:
    encoded = TEXT.encode(encoding)
    entities = classifier.predict(TEXT, Decoding(offsets=offsets))
    assert entities and entities != classifier.predict(TEXT)
    for entity in entities:
        assert encoded[width * entity.start : width * entity.end].decode(encoding) == entity.text


def test_the_command_takes_all_of_them(bundle: Any, classifier: TokenClassifier, run: Callable[..., Any]) -> None:
    way = Decoding("first", strict=True, thresholds={"EQUIPMENT": 0.0}, offsets="utf16")
    options = ["--aggregation", "first", "--strict", "--threshold", "EQUIPMENT=0", "--offsets", "utf16"]
    done = run("predict", bundle, "--variant", "fp32", *options, TEXT)
    entities = json.loads(done.out)["entities"]
    assert [(e["label"], e["start"]) for e in entities] == [(e.label, e.start) for e in classifier.predict(TEXT, way)]


@pytest.mark.parametrize("threshold", ["EQUIPMENT", "EQUIPMENT=high", "EQUIPMENT=2", "PUMP=0.5"])
def test_the_command_refuses_a_threshold_that_is_none(threshold: str, bundle: Any, run: Callable[..., Any]) -> None:
    done = run("predict", bundle, "--threshold", threshold, "oil leak")
    assert (done.code, done.out) == (2, "")

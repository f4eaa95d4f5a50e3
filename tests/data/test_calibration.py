"""Text to measure ranges on: different texts, spread over all lengths, none that the judged set holds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgener.data.calibration import SHARE, calibration_text, representative
from edgener.data.read import DataSpec, read_split
from edgener.data.types import Sentence
from edgener_runtime.errors import UserInputError

FACTORY = DataSpec("builtin:factory")


@given(texts=st.lists(st.text(st.sampled_from("ab漏"), max_size=5), max_size=30), count=st.integers(1, 12))
def test_a_share_is_as_large_as_asked_of_different_texts_in_their_order(texts: list[str], count: int) -> None:
    chosen = [sentence.text for sentence in representative([Sentence(text, (), ()) for text in texts], count)]
    different = list(dict.fromkeys(texts))
    assert len(chosen) == min(count, len(different))
    assert chosen == [text for text in different if text in chosen]


def test_short_and_long_texts_have_their_share() -> None:
    sentences = [Sentence("x" * size, (), ()) for size in range(1000)]
    lengths = [len(sentence.text) for sentence in representative(sentences[::-1], 10)]
    assert lengths == [950, 850, 750, 650, 550, 450, 350, 250, 150, 50]


def test_a_share_of_the_train_split_serves_without_what_the_judged_set_repeats() -> None:
    train, judged = read_split(FACTORY, "train"), read_split(FACTORY, "test")
    assert len(calibration_text(FACTORY, None, judged).sentences) == SHARE
    repeating = replace(judged, sentences=train.sentences[500:])
    assert calibration_text(FACTORY, None, repeating).sentences == train.sentences[:500]


def test_a_named_set_is_taken_whole_and_may_not_meet_the_judged_one(tmp_path: Path) -> None:
    judged = read_split(FACTORY, "test")
    file = tmp_path / "calibration.txt"
    file.write_text("Pump O\n\nPump O\n")
    assert len(calibration_text(FACTORY, str(file), judged).sentences) == 2
    file.write_text("".join(f"{token} O\n" for token in judged.sentences[3].text.split(" ")))
    with pytest.raises(UserInputError, match=r"1 sentences are both in .*calibration.txt"):
        calibration_text(FACTORY, str(file), judged)

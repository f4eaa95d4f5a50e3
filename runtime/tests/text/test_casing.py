"""The case class of words, and of the word at each character."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgener_runtime.text.casing import CASE_CLASSES, INITIAL, LOWER, MIXED, UPPER, case_class, case_classes


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("pump", LOWER), ("größe", LOWER), ("насос", LOWER), ("泵", LOWER), ("משאבה", LOWER), ("...", LOWER),
        ("Pump", INITIAL), ("Ölpumpe", INITIAL), ("P", INITIAL), ("(Pump)", INITIAL), ("Ǆ", INITIAL), ("ǅ", INITIAL),
        ("PUMP", UPPER), ("P.O.", UPPER), ("ÖL", UPPER), ("НАСОС", UPPER), ("ＰＵＭＰ", UPPER),
        ("P101", MIXED), ("p-101", MIXED), ("12", MIXED), ("٣", MIXED), ("pH", MIXED), ("McPump", MIXED),
        ("iPad", MIXED), ("P-ump", INITIAL), ("", LOWER),
    ],
)  # fmt: skip
def test_a_word_has_one_of_four_classes(word: str, expected: int) -> None:
    assert case_class(word) == expected


def test_every_character_of_a_word_has_its_class_and_spaces_are_lower() -> None:
    text = "The PUMP\tp101\u00a0Öl"
    assert case_classes(text, range(len(text))) == [1] * 3 + [0] + [2] * 4 + [0] + [3] * 4 + [0] + [1] * 2


def test_letters_without_case_end_a_word() -> None:
    text = "泵Pump漏OIL한P1か"
    assert case_classes(text, range(len(text))) == [0, 1, 1, 1, 1, 0, 2, 2, 2, 0, 3, 3, 0]


def test_a_position_behind_the_text_is_in_no_word() -> None:
    assert case_classes("PUMP", [4]) == [LOWER]
    assert case_classes("", [0]) == [LOWER]


@given(st.text(st.characters()))
def test_any_text_has_a_class_at_every_position(text: str) -> None:
    classes = case_classes(text, range(len(text)))
    assert len(classes) == len(text)
    assert set(classes) <= set(range(CASE_CLASSES))


@given(st.lists(st.text("aAbB1ü-", min_size=1), min_size=1))
def test_a_word_s_class_does_not_hang_on_its_neighbours(words: list[str]) -> None:
    text, starts = "", []
    for word in words:
        starts.append(len(text))
        text += word + " "
    assert case_classes(text, starts) == [case_class(word) for word in words]

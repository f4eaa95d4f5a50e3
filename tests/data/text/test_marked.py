"""Offsets in any unit are found again by the marked text, and never put an entity on another text."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgener.data.text.marked import MarkedText, locate, same_text

COUNTS: dict[str, Callable[[str], int]] = {
    "characters": len,
    "UTF-16 units": lambda text: len(text.encode("utf-16-le")) // 2,
    "bytes": lambda text: len(text.encode()),
    "line ends of one": lambda text: len(text.replace("\r\n", "\n")),
    "line ends of two": lambda text: len(text.replace("\r\n", "\n").replace("\n", "\r\n")),
    "NFC": lambda text: len(unicodedata.normalize("NFC", text)),
    "NFD": lambda text: len(unicodedata.normalize("NFD", text)),
    "NFC in UTF-16 units": lambda text: len(unicodedata.normalize("NFC", text).encode("utf-16-le")) // 2,
}
HANGUL = unicodedata.normalize("NFD", "한")
PIECES = st.sampled_from(["a", "Bo", " ", "\n", "\r\n", "é", "e\u0301", "한", HANGUL, "漏", "\U0001f527"])
WORDS = st.sampled_from(["Mira", "Zoë", "Zoe\u0308", "泵 \U0001f527", "B\U0001f527", "한글"])


@pytest.mark.parametrize("unit", COUNTS)
@given(pieces=st.lists(PIECES | WORDS, max_size=12), words=st.lists(WORDS, min_size=1, max_size=3))
@settings(max_examples=60)
def test_entities_come_back_whatever_their_offsets_count(unit: str, pieces: list[str], words: list[str]) -> None:
    text, ranges = "", []
    for number, word in enumerate(words):
        text += "".join(pieces[number::3]) + " "
        ranges.append((len(text), len(text) + len(word)))
        text += f"{word} "
    count = COUNTS[unit]
    marked = [MarkedText(count(text[:start]), count(text[:end]), text[start:end]) for start, end in ranges]
    found = locate(text, marked)
    assert isinstance(found, list)
    assert all(same_text(text[start:end], item.text or "") for (start, end), item in zip(found, marked, strict=True))


@given(
    text=st.text(st.sampled_from("ab \n漏\U0001f527e\u0301"), max_size=12),
    items=st.lists(
        st.builds(MarkedText, st.integers(-2, 14) | st.none(), st.integers(-2, 14) | st.none(),
                  st.none() | st.text(st.sampled_from("ab 漏e\u0301\\n"), min_size=1, max_size=3).filter(str.strip)),
        max_size=3,
    ),
)  # fmt: skip
def test_no_offsets_put_an_entity_on_another_text(text: str, items: list[MarkedText]) -> None:
    found = locate(text, items)
    if isinstance(found, MarkedText):
        assert found in items
        return
    assert len(found) == len(items)
    for (start, end), item in zip(found, items, strict=True):
        assert 0 <= start < end <= len(text)
        assert item.text is None or same_text(text[start:end], item.text)


def test_an_entity_without_its_text_is_counted_like_the_others() -> None:
    text = "\U0001f527 Mira and Otto"
    assert locate(text, [MarkedText(3, 7, "Mira"), MarkedText(12, 16)]) == [(2, 6), (11, 15)]
    assert locate(text, [MarkedText(3, 7)]) == [(3, 7)]
    assert locate(text, [MarkedText(12, 16)]) == MarkedText(12, 16)


def test_line_ends_written_as_two_characters_are_the_same_text() -> None:
    assert same_text("two\nlines", r"two\nlines") and not same_text("two lines", "twolines")


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_text_of_another_normal_form_is_the_same(form: Literal["NFC", "NFD"]) -> None:
    assert same_text("Zoë", unicodedata.normalize(form, "Zoë"))

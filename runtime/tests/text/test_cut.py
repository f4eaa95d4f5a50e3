from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgener_runtime.text.cut import split_text


@pytest.mark.parametrize(
    ("text", "boundaries", "words"),
    [
        ("Oil leak, P-101.", (), ["Oil", "leak", ",", "P", "-", "101", "."]),
        ("oilleak", (3,), ["oil", "leak"]),
        ("泵漏油 ok", (), ["泵", "漏", "油", "ok"]),
        ("cafe\u0301 x", (), ["cafe\u0301", "x"]),
        ("", (), []),
    ],
)
def test_words_are_cut(text: str, boundaries: tuple[int, ...], words: list[str]) -> None:
    assert [text[start:end] for start, end in split_text(text, boundaries)] == words


@given(st.text(), st.lists(st.integers(0, 20)))
def test_words_hold_all_that_is_not_blank_and_cross_no_boundary(text: str, boundaries: list[int]) -> None:
    words = split_text(text, boundaries)
    held = {at for start, end in words for at in range(start, end)}
    assert all(at in held for at, character in enumerate(text) if not character.isspace())
    assert all(not start < edge < end for start, end in words for edge in boundaries)
    assert all(one[1] <= other[0] for one, other in pairwise(words))

"""Which subword belongs to which token, against a slow oracle and against a tokenizer that is given words."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgener.data.align import continued_subwords, first_subwords, subword_tokens
from edgener.data.factory import factory_splits
from edgener.data.sentences import join_tokens

Ranges = list[tuple[int, int]]
LENGTH = 24


def oracle(tokens: Ranges, subwords: Ranges, text: str) -> list[int]:
    """Every character of every subword, asked of every token."""
    found = []
    for start, end in subwords:
        solid = [position for position in range(start, end) if not text[position].isspace()]
        owners = [i for i, (a, b) in enumerate(tokens) if solid and a <= solid[0] < b]
        found.append(owners[0] if owners else -1)
    return found


@st.composite
def ranges(draw: st.DrawFn) -> Ranges:
    """Pieces of a text in order, without overlap, some side by side."""
    edges = sorted(draw(st.sets(st.integers(0, LENGTH), max_size=14)))
    pieces = list(pairwise(edges))
    return [piece for piece in pieces if draw(st.booleans())]


@st.composite
def subword_ranges(draw: st.DrawFn) -> Ranges:
    """As a tokenizer gives them: special tokens are empty, several bytes of one character repeat its range."""
    pieces = draw(ranges())
    repeated = [piece for piece in pieces for _ in range(draw(st.integers(1, 2)) if piece[1] - piece[0] == 1 else 1)]
    return [(0, 0), *repeated, (0, 0)] if draw(st.booleans()) else repeated


TEXTS = st.text(st.sampled_from("ab \u3000漏\u0301"), min_size=LENGTH, max_size=LENGTH)


@given(tokens=ranges(), subwords=subword_ranges(), text=TEXTS)
def test_a_subword_belongs_to_the_token_of_its_first_solid_character(
    tokens: Ranges, subwords: Ranges, text: str
) -> None:
    assert subword_tokens(tokens, subwords, text) == oracle(tokens, subwords, text)


@given(tokens=ranges(), subwords=subword_ranges(), text=TEXTS)
def test_the_first_subword_of_a_token_is_the_first_that_belongs_to_it(
    tokens: Ranges, subwords: Ranges, text: str
) -> None:
    owners = oracle(tokens, subwords, text)
    expected = [owners.index(token) if token in owners else -1 for token in range(len(tokens))]
    assert first_subwords(tokens, subwords, text) == expected


@given(tokens=ranges(), subwords=subword_ranges())
def test_a_token_is_continued_where_a_subword_reaches_over_its_start(tokens: Ranges, subwords: Ranges) -> None:
    expected = [any(a < start < b for a, b in subwords) for start, _ in tokens]
    assert continued_subwords(tokens, subwords) == expected


@pytest.fixture(scope="module")
def tokenizer(minilm: Path) -> Any:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(minilm / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def words_of_other_scripts() -> list[list[str]]:
    return [
        ["Café", "cafe\u0301", "ＡＢＣ１２", "漏油", "泵", "हिन्दी", "한국어", "\U0001f527"],
        ["Grüße", "aus", "Halle", "3", ":", "µm", "°C", '("', '"),'],
        ["word"] * 641,
        ["\u200b", "ok", "\u0301"],
    ]


def test_a_real_tokenizer_given_the_text_finds_the_subwords_it_finds_given_the_words(tokenizer: Any) -> None:
    sentences = [sentence.tokens for sentence in factory_splits()["test"].sentences[:150]]
    for words in [*sentences, *words_of_other_scripts()]:
        text, offsets = join_tokens(words)
        by_text = tokenizer.encode(text)
        by_words = tokenizer.encode(words, is_pretokenized=True)
        assert by_text.ids == by_words.ids
        first = [by_words.word_ids.index(i) if i in by_words.word_ids else -1 for i in range(len(words))]
        assert first_subwords(offsets, by_text.offsets, text) == first

"""The alignment of subwords with tokens by character offsets, the same for training and for devices."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

Offsets = Sequence[tuple[int, int]]


def subword_tokens(tokens: Offsets, subwords: Offsets, text: str) -> list[int]:
    """For each subword the token of its first non-space character, or -1 (special tokens, text between tokens)."""
    starts = [start for start, _ in tokens]
    found = []
    for start, end in subwords:
        while start < end and text[start].isspace():
            start += 1
        token = bisect_right(starts, start) - 1
        found.append(token if start < end and token >= 0 and start < tokens[token][1] else -1)
    return found


def continued_subwords(tokens: Offsets, subwords: Offsets) -> list[bool]:
    """For each token whether a subword that starts before it extends into it, as `°c` does for `°`, `C`."""
    edges = [(start, end) for start, end in subwords if start < end]
    starts = [start for start, _ in edges]
    before = [bisect_right(starts, start - 1) - 1 for start, _ in tokens]
    return [index >= 0 and edges[index][1] > start for index, (start, _) in zip(before, tokens, strict=True)]


def first_subwords(tokens: Offsets, subwords: Offsets, text: str) -> list[int]:
    """For each token the index of its first subword, or -1 where the tokenizer produced none."""
    first = [-1] * len(tokens)
    for index, token in enumerate(subword_tokens(tokens, subwords, text)):
        if token >= 0 and first[token] < 0:
            first[token] = index
    return first

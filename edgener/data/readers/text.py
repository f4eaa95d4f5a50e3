"""Tokens to text: spaces between words, none between two Han or kana characters."""

from __future__ import annotations

import re
from collections.abc import Sequence

from edgener_runtime.text.cut import CJK

_IS_CJK = re.compile(f"[{CJK}]")


def join_tokens(tokens: Sequence[str]) -> tuple[str, tuple[tuple[int, int], ...]]:
    """The text of a token list and each token's (start, end) in it."""
    pieces: list[str] = []
    offsets: list[tuple[int, int]] = []
    position = 0
    for index, token in enumerate(tokens):
        if index and not (_IS_CJK.match(tokens[index - 1][-1]) and _IS_CJK.match(token[0])):
            pieces.append(" ")
            position += 1
        pieces.append(token)
        offsets.append((position, position + len(token)))
        position += len(token)
    return "".join(pieces), tuple(offsets)

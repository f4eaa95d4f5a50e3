"""Tokens to text and text to tokens: spaces between words, none between two Han or kana characters."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import cache

_CJK = "\u2e80-\u303f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_IS_CJK = re.compile(f"[{_CJK}]")


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


def split_text(text: str, boundaries: Iterable[int] = ()) -> tuple[tuple[int, int], ...]:
    """Tokens of a raw text as (start, end): words, single punctuation marks, single CJK characters, marks with theirs.

    A token never crosses one of the character positions in `boundaries`, so that spans fall on token edges.
    """
    cuts = sorted(set(boundaries))
    tokens: list[tuple[int, int]] = []
    for match in _token().finditer(text):
        start = match.start()
        for cut in (position for position in cuts if match.start() < position < match.end()):
            tokens.append((start, cut))
            start = cut
        tokens.append((start, match.end()))
    return tuple(tokens)


@cache
def _token() -> re.Pattern[str]:
    r"""One token; combining marks (accents, Indic vowel signs), which are not in `\w`, stay with their base."""
    marks = "".join(chr(code) for code in range(0x20000) if unicodedata.category(chr(code)).startswith("M"))
    return re.compile(rf"(?!\s)[{_CJK}][{marks}]*|(?:[^\W{_CJK}][{marks}]*)+|[^\w\s][{marks}]*")

"""Words of a raw text, for labels per word where the text is not pre-tokenised."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import cache

CJK = "\u2e80-\u303f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
"""A character class of Han and kana, whose words have no spaces between them."""


def split_text(text: str, boundaries: Iterable[int] = ()) -> tuple[tuple[int, int], ...]:
    """Tokens of a raw text as (start, end): words, single punctuation marks, single CJK characters with their marks.

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
    codes = (*range(0x20000), *range(0xE0100, 0xE01F0))  # the latter choose variants of Han characters; none between
    marks = "".join(chr(code) for code in codes if unicodedata.category(chr(code)).startswith("M"))
    return re.compile(rf"(?!\s)[{CJK}][{marks}]*|(?:[^\W{CJK}][{marks}]*)+|[^\w\s][{marks}]*")

"""The case channel: the case class of each word in token_type_ids, for uncased encoders.

Small distilled BERTs are uncased, and named entities depend on capitals. Token classification does not use
token_type_ids, so they can carry the class at no cost. Training and the device both use this file.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

LOWER, INITIAL, UPPER, MIXED = range(4)
CASE_CLASSES = 4

# A word is a run without white space; Han, kana and hangul have no case and no spaces, so they end a run.
_WORD = re.compile(r"[^\s\u2e80-\ua4cf\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]+")


@lru_cache(maxsize=4096)  # texts of one trade repeat their words
def case_class(word: str) -> int:
    """0 lower or caseless, 1 Initial capital, 2 ALL CAPS of two letters or more, 3 other with a capital or a digit."""
    if any(character.isdigit() for character in word):
        return MIXED
    capitals = [character.isupper() or character.istitle() for character in word if character.isalpha()]
    if not any(capitals):
        return LOWER
    if all(capitals) and len(capitals) > 1:
        return UPPER
    return INITIAL if capitals[0] and sum(capitals) == 1 else MIXED


def case_classes(text: str, starts: Sequence[int]) -> list[int]:
    """The case class of the word in which each character position of `starts` lies (0 outside any word)."""
    classes = [LOWER] * (len(text) + 1)
    for match in _WORD.finditer(text):
        if found := case_class(match.group()):
            start, end = match.span()
            classes[start:end] = [found] * (end - start)
    return [classes[start] for start in starts]

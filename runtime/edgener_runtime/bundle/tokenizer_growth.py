"""How much longer a tokenizer's rules may make a text: a few that feed each other make gigabytes of one letter."""

from __future__ import annotations

import base64
import math
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any

MOST_GROWTH = 64  # characters that may be made of one
_BYTES_OF_ONE = 40  # the longest text that NFKC makes of a character, U+FDFA
_LISTS = ("normalizers", "pretokenizers", "processors", "decoders")

Part = dict[str, Any]


def parts_below(part: Any) -> Iterator[Part]:
    """A part of a tokenizer and all parts inside, in their order, without recursion."""
    stack = [part]
    while stack:
        part = stack.pop()
        if isinstance(part, dict):
            yield part
            for name in _LISTS:
                if isinstance(inner := part.get(name), list):
                    stack += reversed(inner)


def growth(parts: Sequence[Part]) -> int:
    """The most characters that rules after each other may make of one, counted up to some more than MOST_GROWTH."""
    rules = [part for part in parts if part.get("type") == "Replace" and isinstance(part.get("content"), str)]
    of_others = math.prod(min(_own_growth(part), MOST_GROWTH + 1) for part in parts[:1000])
    return max((_grown(start, rules) for start in _patterns(rules)), default=1) * of_others


def _own_growth(part: Part) -> int:
    """What a part makes of a character by itself; a regular expression may find any."""
    if part.get("type") == "ByteLevel":
        return 2
    if part.get("type") == "Replace" and _pattern(part) is None:
        return max(1, len(str(part.get("content"))))
    longest = _longest(part.get("precompiled_charsmap")) if part.get("type") == "Precompiled" else 0
    return 1 if longest <= _BYTES_OF_ONE else longest


def _longest(charsmap: Any) -> int:
    """The bytes of the longest text of a character map; 0 where it is none."""
    data = _decoded(charsmap)
    return max(map(len, data[_end_of_trie(data) :].split(b"\0")))


def is_charsmap(charsmap: Any) -> bool:
    """Whether a character map has a trie and texts behind it; the library panics where it has not."""
    data = _decoded(charsmap)
    return 4 < _end_of_trie(data) <= len(data) and not _end_of_trie(data) % 4


def _end_of_trie(data: bytes) -> int:
    return 4 + int.from_bytes(data[:4], "little")


def _decoded(charsmap: Any) -> bytes:
    try:
        return base64.b64decode(charsmap, validate=True)
    except (TypeError, ValueError):
        return b""


def _patterns(rules: Sequence[Part]) -> set[str]:
    return {_folded(pattern) for rule in rules if (pattern := _pattern(rule)) is not None}


def _pattern(rule: Part) -> str | None:
    pattern = rule.get("pattern")
    text = pattern.get("String") if isinstance(pattern, dict) else None
    return text if isinstance(text, str) else None


def _grown(start: str, rules: Sequence[Part]) -> int:
    """The characters that replacements make of the first one's pattern, for each character of it."""
    text, least = start, max(1, len(start))
    for rule in rules:
        if (pattern := _pattern(rule)) is not None:
            text = text.replace(_folded(pattern), _folded(rule["content"]))
        if len(text) > MOST_GROWTH * least:
            break
    return max(1, -(-len(text) // least))


def _folded(text: str) -> str:
    """As rules between two replacements may change a text: in lower case, without accents and ligatures."""
    plain = "".join(each for each in unicodedata.normalize("NFKD", text) if not unicodedata.combining(each))
    return plain.casefold() or text

"""Offsets in other units: UTF-8 bytes, as for C, and UTF-16 units, as for JavaScript."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

OFFSETS = ("characters", "utf8", "utf16")


def in_units(spans: Iterable[tuple[int, int]], text: str, offsets: str) -> Iterator[tuple[int, int]]:
    """Convert each (start, end) from characters of `text` to the unit `offsets`; the starts are in order.

    A lone surrogate is 3 bytes of UTF-8, as the U+FFFD that replaces it, and one unit of UTF-16.
    """
    measure = _MEASURES[offsets]
    at = position = 0
    for start, end in spans:
        position += measure(text[at:start])
        at = start
        yield position, position + measure(text[start:end])


def _utf8_bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def _utf16_units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


_MEASURES = dict(zip(OFFSETS, (len, _utf8_bytes, _utf16_units), strict=True))

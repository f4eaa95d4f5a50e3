"""Offsets in the units of other consumers: UTF-8 bytes for MQTT and C, UTF-16 units for JavaScript."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

OFFSETS = ("characters", "utf8", "utf16")


def in_units(spans: Iterable[tuple[int, int]], text: str, offsets: str) -> Iterator[tuple[int, int]]:
    """Each (start, end) in characters of `text`, starts in order, counted in `offsets`.

    A lone surrogate is 3 bytes of UTF-8, as the U+FFFD that stands for it, and one unit of UTF-16.
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

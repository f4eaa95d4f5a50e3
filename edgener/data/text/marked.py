"""Where marked text lies in its record: offsets that count other units than characters are corrected by the text.

Browsers count UTF-16 units, some tools bytes, some count a line end of two characters as one or otherwise, and some
count letters and their accents apart. A record whose marked texts all lie where one of these ways of counting puts them
is corrected. Otherwise the marked text itself is looked for.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, product
from typing import Literal


@dataclass(frozen=True)
class MarkedText:
    """The offsets of an entity as its file has them, and its text where the file has that too."""

    start: int | None
    end: int | None
    text: str | None = None


Range = tuple[int, int]
Form = Literal["", "NFC", "NFD"]
_UNITS: tuple[Callable[[str], int], ...] = (
    len,
    lambda text: sum(1 + (ord(char) > 0xFFFF) for char in text),
    lambda text: sum(1 + (ord(char) > 0x7F) + (ord(char) > 0x7FF) + (ord(char) > 0xFFFF) for char in text),
)
_FORMS: tuple[Form, ...] = ("", "NFC", "NFD")
_LINE_ENDS = ("", "\n", "\r\n")


def locate(text: str, marked: Sequence[MarkedText]) -> list[Range] | MarkedText:
    """The (start, end) in characters of each entity, or the first one whose text is not where it should be.

    Entities without a marked text are taken at their word, in the unit of the others.
    """
    for edges in _countings(text, any(item.text for item in marked)):
        ranges = [_range(item, edges) for item in marked]
        if all(_fits(text, found, item) for found, item in zip(ranges, marked, strict=True)):
            return [found for found in ranges if found]
    searched = [_search(text, item) for item in marked]
    wrong = next((item for item, found in zip(marked, searched, strict=True) if found is None), None)
    return wrong or [found for found in searched if found]


def same_text(one: str, other: str) -> bool:
    """Whether two texts differ in nothing but white space, line ends and the composition of their accents."""
    return _plain(one) == _plain(other)


def _plain(text: str) -> str:
    r"""Label Studio writes line ends in a marked text as the two characters `\n`."""
    return " ".join(unicodedata.normalize("NFC", text.replace("\\n", "\n")).split())


def _countings(text: str, marked: bool) -> Iterator[dict[int, int]]:
    """For each way of counting the character at each counted position: the plain one, others where a text decides."""
    yield {index: index for index in range(len(text) + 1)}
    if not marked or (text.isascii() and "\n" not in text):
        return
    for form, line_end, unit in product(_FORMS, _LINE_ENDS, _UNITS):
        widths = _widths(text, unit, form, line_end)
        yield {position: index for index, position in enumerate(accumulate(widths, initial=0))}


def _widths(text: str, unit: Callable[[str], int], form: Form, line_end: str) -> list[int]:
    """The counted width of each character; that of a composed one or of a line end stands at its first character."""
    widths = [0] * len(text)
    for start, end in _clusters(text, bool(form)):
        cluster = text[start:end]
        if line_end and cluster in ("\n", "\r\n"):
            cluster = line_end
        widths[start] = unit(unicodedata.normalize(form, cluster) if form else cluster)
    return widths


def _clusters(text: str, composed: bool) -> Iterator[Range]:
    """Characters, with line ends in one piece and, where `composed`, marks and Hangul vowels with their base."""
    start = 0
    for index in range(1, len(text) + 1):
        if index < len(text) and (
            text[index - 1 : index + 1] == "\r\n" or (composed and _joins(text[index - 1], text[index]))
        ):
            continue
        yield start, index
        start = index


def _joins(before: str, char: str) -> bool:
    hangul = "\u1160" <= char <= "\u11ff" and ("\u1100" <= before <= "\u11ff" or "\uac00" <= before <= "\ud7a3")
    return hangul or unicodedata.category(char).startswith("M")


def _range(item: MarkedText, edges: dict[int, int]) -> Range | None:
    if item.start is None or item.end is None:
        return None
    start, end = edges.get(item.start), edges.get(item.end)
    return None if start is None or end is None else (start, end)


def _fits(text: str, found: Range | None, item: MarkedText) -> bool:
    if found is None or found[0] >= found[1]:
        return False
    return not item.text or same_text(text[found[0] : found[1]], item.text)


def _search(text: str, item: MarkedText) -> Range | None:
    """The one place of the marked text, or the one that its offsets touch; None where that leaves a choice."""
    if not item.text:
        return None
    sought = item.text.strip() if item.text.strip() in text else item.text.replace("\\n", "\n").strip()
    places = [(start, start + len(sought)) for start in range(len(text)) if sought and text.startswith(sought, start)]
    if len(places) > 1 and item.start is not None and item.end is not None:
        places = [place for place in places if place[0] < item.end and item.start < place[1]]
    return places[0] if len(places) == 1 else None

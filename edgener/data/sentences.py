"""Sentences from tokens or from raw text, with flat spans: the outermost stays, edges that nobody sees are trimmed."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence

from edgener_runtime.text.cut import split_text

from . import reasons
from .text.joining import join_tokens
from .types import Sentence, Span

# Characters that show nothing, beside those of Unicode's categories for format, control and white space.
_BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0\u034f\u17b4\u17b5" + "".join(map(chr, range(0xFE00, 0xFE10))))


def flatten(spans: Iterable[Span], counts: Counter[str]) -> tuple[Span, ...]:
    """Spans in order without overlap; of two that overlap the earlier one stays, or the longer at the same start."""
    flat: list[Span] = []
    for span in sorted(dict.fromkeys(spans), key=lambda span: (span.start, -span.end)):
        if not flat or span.start >= flat[-1].end:
            flat.append(span)
        else:
            counts[reasons.NESTED if span.end <= flat[-1].end else reasons.OVERLAPPING] += 1
    return tuple(flat)


def is_invisible(char: str) -> bool:
    """Whether a character shows nothing: white space, zero-width and control characters, fillers."""
    return char.isspace() or char in _BLANK or unicodedata.category(char) in ("Cc", "Cf")


def trim(span: Span, text: str, counts: Counter[str]) -> Span:
    """A character span without white space and invisible characters at its edges."""
    start, end = span.start, span.end
    while start < end and is_invisible(text[start]):
        start += 1
    while end > start and _may_end_at(text, start, end):
        end -= 1
    if cut := text[span.start : start] + text[end : span.end]:
        counts[reasons.TRIMMED if cut.isspace() else reasons.INVISIBLE_EDGES] += 1
    return Span(span.label, start, end)


def _may_end_at(text: str, start: int, end: int) -> bool:
    """Whether the last character goes; joiners and variation selectors belong to the character before them."""
    last = text[end - 1]
    return is_invisible(last) and (
        end - 1 == start or last.isspace() or unicodedata.category(last) == "Cc" or last in "\u200b\u2060\ufeff\u00ad"
    )


def sentence_of_text(text: str, spans: Iterable[Span], line: int, counts: Counter[str]) -> Sentence:
    """The sentence of a raw text with character spans; every edge of a span is a token boundary."""
    solid: list[Span] = []
    for span in spans:
        trimmed = trim(span, text, counts)
        if trimmed.start < trimmed.end:
            solid.append(trimmed)
        else:
            counts[_emptiness(text[span.start : span.end])] += 1
    flat = flatten(solid, counts)
    offsets = split_text(text, (edge for span in flat for edge in (span.start, span.end)))
    starts = {start: index for index, (start, _) in enumerate(offsets)}
    ends = {end: index + 1 for index, (_, end) in enumerate(offsets)}
    return Sentence(text, offsets, tuple(Span(span.label, starts[span.start], ends[span.end]) for span in flat), line)


def sentence_of_tokens(
    tokens: Sequence[str], spans: Iterable[Span], line: int, counts: Counter[str], unspaced: bool = False
) -> Sentence:
    """The sentence of a token list with spans that count tokens; tokens without a visible character open no entity.

    `unspaced` says that the others of its file are in a script without spaces.
    """
    solid = []
    for span in spans:
        inside = [index for index in range(span.start, span.end) if not all(map(is_invisible, tokens[index]))]
        if not inside:
            counts[_emptiness("".join(tokens[span.start : span.end]))] += 1
            continue
        solid.append(Span(span.label, inside[0], inside[-1] + 1))
        if solid[-1] != span:
            counts[reasons.INVISIBLE_EDGES] += 1
    text, offsets = join_tokens(tokens, unspaced)
    return Sentence(text, offsets, flatten(solid, counts), line)


def _emptiness(text: str) -> str:
    """The reason for which an entity without a visible character is dropped."""
    return reasons.WHITE_SPACE if text.isspace() else reasons.INVISIBLE

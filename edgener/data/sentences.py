"""Sentences from tokens or from raw text, with flat spans: the outermost stays, white space at edges is trimmed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from edgener_runtime.text.cut import CJK, split_text

from .types import Sentence, Span

_IS_CJK = re.compile(f"[{CJK}]")


def flatten(spans: Iterable[Span], counts: Counter[str]) -> tuple[Span, ...]:
    """Spans in order without overlap; of two that overlap the earlier one stays, or the longer at the same start."""
    flat: list[Span] = []
    for span in sorted(dict.fromkeys(spans), key=lambda span: (span.start, -span.end)):
        if not flat or span.start >= flat[-1].end:
            flat.append(span)
        else:
            counts["nested entities dropped" if span.end <= flat[-1].end else "overlapping entities dropped"] += 1
    return tuple(flat)


def trim(span: Span, text: str, counts: Counter[str]) -> Span:
    """A character span without white space at its edges."""
    start, end = span.start, span.end
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    if (start, end) != (span.start, span.end):
        counts["entities trimmed of white space"] += 1
    return Span(span.label, start, end)


def sentence_of_text(text: str, spans: Iterable[Span], line: int, counts: Counter[str]) -> Sentence:
    """The sentence of a raw text with character spans; every edge of a span is a token boundary."""
    trimmed = [trim(span, text, counts) for span in spans]
    solid = [span for span in trimmed if span.start < span.end]
    counts["entities of white space dropped"] += len(trimmed) - len(solid)
    flat = flatten(solid, counts)
    offsets = split_text(text, (edge for span in flat for edge in (span.start, span.end)))
    starts = {start: index for index, (start, _) in enumerate(offsets)}
    ends = {end: index + 1 for index, (_, end) in enumerate(offsets)}
    return Sentence(text, offsets, tuple(Span(span.label, starts[span.start], ends[span.end]) for span in flat), line)


def join_tokens(tokens: Sequence[str]) -> tuple[str, tuple[tuple[int, int], ...]]:
    """The text of a token list, and the (start, end) of each token; no space between two Han or kana characters."""
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

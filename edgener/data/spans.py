"""Spans made flat: the outermost of nested ones is kept, white space at the edges is trimmed, the rest is counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from edgener_runtime.text.cut import split_text

from .types import Sentence, Span


def flatten(spans: Iterable[Span], counts: Counter[str]) -> tuple[Span, ...]:
    """Spans in order without overlap; of two that overlap the one that begins first, else the longer, stays."""
    kept: list[Span] = []
    for span in sorted(dict.fromkeys(spans), key=lambda span: (span.start, -span.end)):
        if not kept or span.start >= kept[-1].end:
            kept.append(span)
        else:
            counts["nested entities dropped" if span.end <= kept[-1].end else "overlapping entities dropped"] += 1
    return tuple(kept)


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
    """A raw text with character spans in the internal form, tokens cut so that every span falls on their edges."""
    trimmed = [trim(span, text, counts) for span in spans]
    solid = [span for span in trimmed if span.start < span.end]
    counts["entities of white space dropped"] += len(trimmed) - len(solid)
    flat = flatten(solid, counts)
    offsets = split_text(text, (edge for span in flat for edge in (span.start, span.end)))
    starts = {start: index for index, (start, _) in enumerate(offsets)}
    ends = {end: index + 1 for index, (_, end) in enumerate(offsets)}
    return Sentence(text, offsets, tuple(Span(span.label, starts[span.start], ends[span.end]) for span in flat), line)

"""Excerpts of sentences: the text before an entity, the entity, and the text after it."""

from __future__ import annotations

from dataclasses import dataclass

from edgener.parity.measures.diff import Change, FoundEntity

AROUND = 240  # characters on either side of the change; a sentence can be a whole page


@dataclass(frozen=True)
class Excerpt:
    """The text of one side; where it has no entity, `label` is None and `entity` is the other side's text."""

    before: str
    entity: str
    behind: str
    label: str | None


def excerpts(change: Change) -> tuple[Excerpt, Excerpt]:
    """PyTorch's side and the variant's, cut at the same places."""
    entities = [entity for entity in (change.pytorch, change.variant) if entity]
    first, last = min(entity.start for entity in entities), max(entity.end for entity in entities)
    start, end = _cut(change.text, first, last)
    pytorch, variant = (_excerpt(change, side, start, end) for side in (change.pytorch, change.variant))
    return pytorch, variant


def _excerpt(change: Change, side: FoundEntity | None, start: int, end: int) -> Excerpt:
    place = side or next(entity for entity in (change.pytorch, change.variant) if entity)
    text = change.text
    before = ("… " if start else "") + text[start : place.start]
    behind = text[place.end : end] + (" …" if end < len(text) else "")
    return Excerpt(before, text[place.start : place.end], behind, side.label if side else None)


def _cut(text: str, first: int, last: int) -> tuple[int, int]:
    """The ends of the excerpt: at a space where there is one."""
    start, end = max(0, first - AROUND), min(len(text), last + AROUND)
    if start and (space := text.find(" ", start, first)) >= 0:
        start = space + 1
    if end < len(text) and (space := text.rfind(" ", last, end)) >= 0:
        end = space
    return start, end

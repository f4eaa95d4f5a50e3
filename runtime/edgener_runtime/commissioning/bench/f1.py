"""Entity F1: an entity is correct if label, start and end equal those of the gold entity."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from .spec import Gold


def entity_f1(gold: Sequence[Iterable[Gold]], found: Sequence[Iterable[Gold]]) -> float:
    """Micro-averaged F1 over all texts; 1 where neither side has an entity."""
    known = {(text, one) for text, entities in enumerate(gold) for one in entities}
    predicted = {(text, one) for text, entities in enumerate(found) for one in entities}
    return 2 * len(known & predicted) / (len(known) + len(predicted)) if known or predicted else 1.0


def entities_of(labels: Sequence[str], words: Sequence[tuple[int, int]]) -> Iterator[Gold]:
    """The entities of labelled words by strict IOB2: each starts with B- and continues with I- of the same label."""
    current: Gold | None = None
    for label, (start, end) in zip(labels, words, strict=True):
        if current and label == f"I-{current.label}":
            current = Gold(current.label, current.start, end)
            continue
        if current:
            yield current
        current = Gold(label[2:], start, end) if label.startswith("B-") else None
    if current:
        yield current

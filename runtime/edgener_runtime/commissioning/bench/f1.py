"""Entity F1: an entity counts where label, start and end are those of the gold one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from .spec import Gold


def entity_f1(gold: Sequence[Iterable[Gold]], found: Sequence[Iterable[Gold]]) -> float:
    """Micro-averaged F1 over all texts; 1 where there is nothing to find and nothing was found."""
    known = {(text, one) for text, entities in enumerate(gold) for one in entities}
    told = {(text, one) for text, entities in enumerate(found) for one in entities}
    return 2 * len(known & told) / (len(known) + len(told)) if known or told else 1.0


def entities_of(labels: Sequence[str], words: Sequence[tuple[int, int]]) -> Iterator[Gold]:
    """The entities that words' labels tell by strict IOB2: each begins with a B-, and goes on with the same I-."""
    begun: Gold | None = None
    for label, (start, end) in zip(labels, words, strict=True):
        if begun and label == f"I-{begun.label}":
            begun = Gold(begun.label, begun.start, end)
            continue
        if begun:
            yield begun
        begun = Gold(label[2:], start, end) if label.startswith("B-") else None
    if begun:
        yield begun

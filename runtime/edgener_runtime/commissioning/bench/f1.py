"""Entity F1: an entity is correct if label, start and end equal those of the gold entity."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from edgener_runtime.decoding.schemes import LabelSet, allowed_entities

from .spec import Gold


def entity_f1(gold: Sequence[Iterable[Gold]], found: Sequence[Iterable[Gold]]) -> float:
    """Micro-averaged F1 over all texts; 1 where neither side has an entity."""
    known = {(text, one) for text, entities in enumerate(gold) for one in entities}
    predicted = {(text, one) for text, entities in enumerate(found) for one in entities}
    return 2 * len(known & predicted) / (len(known) + len(predicted)) if known or predicted else 1.0


def entities_of(labels: Sequence[str], words: Sequence[tuple[int, int]], label_set: LabelSet) -> Iterator[Gold]:
    """The entities of labelled words, those that the label scheme allows."""
    tags = dict(zip(label_set.names, label_set.tags, strict=True))
    for kind, first, end in allowed_entities([tags[label] for label in labels], label_set.scheme):
        yield Gold(kind, words[first][0], words[end - 1][1])

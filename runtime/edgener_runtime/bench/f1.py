"""Entity F1: an entity counts where label, start and end are those of the gold one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..entity import Entity
from .spec import Gold


def entity_f1(gold: Sequence[Iterable[Gold]], found: Sequence[Iterable[Entity]]) -> float:
    """Micro-averaged F1 over all texts; 1 where there is nothing to find and nothing was found."""
    known = {(text, one.label, one.start, one.end) for text, entities in enumerate(gold) for one in entities}
    told = {(text, one.label, one.start, one.end) for text, entities in enumerate(found) for one in entities}
    return 2 * len(known & told) / (len(known) + len(told)) if known or told else 1.0

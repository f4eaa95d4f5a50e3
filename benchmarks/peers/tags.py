"""From entities as characters to one tag a token, their F1 by edgener's own metric, and how many of them change."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgener.data.types import Sentence
from edgener.parity.bootstrap import Bootstrap, Estimate
from edgener.parity.measures.metrics import entity_scores

Found = Sequence[tuple[str, int, int]]  # label, first and past-the-end character


def tags_of(sentence: Sentence, found: Found) -> list[str]:
    """IOB2 tags: a token belongs to the entity that its first character lies in."""
    tags = ["O"] * len(sentence.offsets)
    for label, start, end in found:
        inside = [index for index, (first, _) in enumerate(sentence.offsets) if start <= first < end]
        for index in inside:
            tags[index] = f"I-{label}" if index > inside[0] else f"B-{label}"
    return tags


def f1_of(sentences: Sequence[Sentence], found: Sequence[Found]) -> float:
    """Micro F1 of entities, strict IOB2."""
    gold = [sentence.tags() for sentence in sentences]
    predicted = [tags_of(sentence, entities) for sentence, entities in zip(sentences, found, strict=True)]
    return entity_scores(gold, predicted).micro.f1


def change_of(expected: Sequence[Found], found: Sequence[Found]) -> Estimate | None:
    """The share of entities that differ, with its 95 % interval, as edgener's gate counts it: an entity of only one
    side is half a change. None where none is expected."""
    sides = [(set(map(tuple, one)), set(map(tuple, other))) for one, other in zip(expected, found, strict=True)]
    counts = np.array([(len(one ^ other) / 2, len(one)) for one, other in sides])
    return Bootstrap(counts).share(0, 1)

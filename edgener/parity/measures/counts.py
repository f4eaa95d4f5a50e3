"""Counts by sentence and label for F1, churn and their intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

from edgener.data.tags import spans_of
from edgener.data.types import Sentence
from edgener_runtime.decoding.schemes import DEFAULT

from .metrics import Tags, allowed_spans
from .tagging import Answers

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


class Count(IntEnum):
    """The counts of each label: entities that the scheme allows for F1, and in the decoding of devices for churn."""

    HITS = 0  # the variant's, found in gold
    GUESSED = 1
    HITS_PYTORCH = 2
    GUESSED_PYTORCH = 3
    GOLD = 4
    ENTITIES = 5  # PyTorch's, including those that the scheme does not allow
    CHANGED = 6  # entities of only one of the two, each counted as a half


@dataclass(frozen=True)
class Counts:
    """Counts by sentence: `entities` (sentences, labels, Count); `tokens` (sentences, 2), changed ones and all; `batch`
    (sentences, 2), entities that change with the batch and all. `documents` says which sentences belong together.
    """

    labels: tuple[str, ...]
    entities: Floats
    tokens: Floats
    batch: Floats
    documents: list[int]


def count_sentences(sentences: Sequence[Sentence], pytorch: Answers, variant: Answers, batch: Floats) -> Counts:
    """The counts of the answers of both models."""
    import numpy as np

    labels = tuple(sorted({*pytorch.label_set.types, *variant.label_set.types}))
    gold = [sentence.tags() for sentence in sentences]
    changed = [sum(map(str.__ne__, *tags)) for tags in zip(pytorch.tags, variant.tags, strict=True)]
    lengths = [len(sentence.offsets) for sentence in sentences]
    return Counts(
        labels,
        count_entities(labels, gold, pytorch.tags, variant.tags, pytorch.label_set.scheme),
        np.array([changed, lengths], dtype=float).T,
        batch,
        [sentence.document for sentence in sentences],
    )


def count_entities(labels: Sequence[str], gold: Tags, pytorch: Tags, variant: Tags, scheme: str = DEFAULT) -> Floats:
    """(sentences, labels, counts) of three tag sequences per sentence: gold in IOB2, the others in `scheme`."""
    import numpy as np

    index = {label: number for number, label in enumerate(labels)}
    counts = np.zeros((len(gold), len(labels), len(Count)))
    schemes = (DEFAULT, scheme, scheme)
    for row, sides in zip(counts, zip(gold, pytorch, variant, strict=True), strict=True):
        true, expected, found = (set(allowed_spans(tags, each)) for tags, each in zip(sides, schemes, strict=True))
        shown, seen = (set(spans_of(tags)[0]) for tags in sides[1:])
        for count, spans in (
            (Count.HITS, found & true),
            (Count.GUESSED, found),
            (Count.HITS_PYTORCH, expected & true),
            (Count.GUESSED_PYTORCH, expected),
            (Count.GOLD, true),
            (Count.ENTITIES, shown),
            (Count.CHANGED, shown ^ seen),
        ):
            for span in spans:
                row[index[span.label], count] += 0.5 if count is Count.CHANGED else 1.0
    return counts

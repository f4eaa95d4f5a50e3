"""The golden vectors of a variant: texts with the answers it gave where it was exported, a part of its manifest."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from edgener_runtime.decoding.schemes import LabelSet

_DIGEST = re.compile("[0-9a-f]{16}")


@dataclass(frozen=True)
class GoldenEntity:
    """An expected entity: label, start and end (exclusive) in characters."""

    label: str
    start: int
    end: int


@dataclass(frozen=True)
class GoldenVector:
    """A text, why it was `chosen`, and its answer.

    `subwords` are the first digits of a SHA-256 of the subwords' ids and characters. `entities` are None where a label
    is so near a tie that another CPU may give another one. `logits` has, for each label, the largest logit of all
    subwords; it is empty for a text without subwords.
    """

    text: str
    chosen: str
    subwords: str
    entities: tuple[GoldenEntity, ...] | None
    logits: tuple[float, ...]


@dataclass(frozen=True)
class GoldenSet:
    """The golden vectors of one variant: their logits may differ by `band` in half of the texts, by `limit` in all.

    `source` is where the texts are from: `evaluation` text and samples of edgener, or its `samples` alone.
    """

    band: float
    limit: float
    source: str
    vectors: tuple[GoldenVector, ...]


def golden_faults(golden: GoldenSet | None, label_set: LabelSet) -> Iterator[tuple[str, Any, str]]:
    """What no golden vectors can have, for a model of these labels: each field, what was found and what is expected."""
    if golden is None:
        return
    if not 0 < golden.band <= golden.limit:
        yield "golden.band", golden.band, f"a number above 0, and at most the limit of {golden.limit:g}"
    if not golden.vectors:
        yield "golden.vectors", [], "at least one, or no golden"
    for index, vector in enumerate(golden.vectors):
        for field, found, expected in _vector_faults(vector, label_set):
            yield f"golden.vectors[{index}].{field}", found, expected


def _vector_faults(vector: GoldenVector, label_set: LabelSet) -> Iterator[tuple[str, Any, str]]:
    if not _DIGEST.fullmatch(vector.subwords):
        yield "subwords", vector.subwords, "16 hex digits"
    if len(vector.logits) not in (0, len(label_set.names)):
        yield "logits", list(vector.logits), f"{len(label_set.names)} numbers, one for each label"
    for entity in vector.entities or ():
        if entity.label not in label_set.types:
            yield "entities", entity.label, f"one of {', '.join(label_set.types)}"
        if not 0 <= entity.start < entity.end <= len(vector.text):
            yield "entities", [entity.start, entity.end], f"characters of a text of {len(vector.text)}"

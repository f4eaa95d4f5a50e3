"""The content of a data set: counts, lengths in subwords, repeats, and leaks between splits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

from edgener_runtime.errors import UserInputError
from edgener_runtime.text.tokenize import without_surrogates

from .reasons import left_out
from .types import Dataset

QUANTILES = (0.5, 0.9, 0.95, 0.99, 1.0)


@dataclass(frozen=True)
class Lengths:
    """Lengths in subwords with special tokens: quantiles, and the number of sentences longer than `limit`."""

    quantiles: dict[str, int]
    limit: int
    over_limit: int
    share_over_limit: float


@dataclass(frozen=True)
class SplitReport:
    """The counts of one split; `repairs` has all reasons, `left_out` those for which something is missing."""

    source: str
    split: str
    format: str
    scheme: str
    sentences: int
    tokens: int
    entities: int
    labels: dict[str, int]
    longest: int
    repeats: int
    repairs: dict[str, int] = field(metadata={"key": "mended"})
    sha256: str
    subwords: Lengths | None = None
    left_out: dict[str, int] = field(default_factory=dict)
    labelled: bool = True


@dataclass(frozen=True)
class Inspection:
    """All splits of a source, and the number of sentences that each pair shares."""

    splits: tuple[SplitReport, ...]
    overlaps: dict[str, int]


def inspect(splits: Mapping[str, Dataset], tokenizer: Any = None, limit: int = 512) -> Inspection:
    """Inspect splits; `tokenizer` is a fast tokenizer of transformers, `limit` a length in subwords."""
    reports = tuple(_report(dataset, tokenizer, limit) for dataset in splits.values())
    overlaps = {f"{one} and {other}": overlap(splits[one], splits[other]) for one, other in combinations(splits, 2)}
    return Inspection(reports, overlaps)


def _report(dataset: Dataset, tokenizer: Any, limit: int) -> SplitReport:
    return SplitReport(
        source=dataset.source,
        split=dataset.split,
        format=dataset.format,
        scheme=dataset.scheme,
        sentences=len(dataset.sentences),
        tokens=dataset.token_count,
        entities=sum(dataset.entity_counts.values()),
        labels=dict(dataset.entity_counts.most_common()),
        longest=max(len(sentence.offsets) for sentence in dataset.sentences),
        repeats=repeats(dataset),
        repairs=dict(dataset.repairs),
        sha256=dataset.sha256,
        subwords=_lengths([sentence.text for sentence in dataset.sentences], tokenizer, limit) if tokenizer else None,
        left_out=left_out(dataset.repairs),
        labelled=dataset.labelled,
    )


def _lengths(texts: Sequence[str], tokenizer: Any, limit: int) -> Lengths:
    clean = [without_surrogates(text) for text in texts]
    lengths = sorted(len(ids) for ids in tokenizer(clean, truncation=False, verbose=False)["input_ids"])
    quantiles = {f"{share:.0%}": lengths[round(share * (len(lengths) - 1))] for share in QUANTILES}
    over = sum(length > limit for length in lengths)
    return Lengths(quantiles, limit, over, over / len(lengths))


def repeats(dataset: Dataset) -> int:
    """The number of sentences that repeat an earlier one of the split with the same annotation."""
    return len(dataset.sentences) - len({(sentence.text, sentence.spans) for sentence in dataset.sentences})


def overlap(one: Dataset, other: Dataset) -> int:
    """The number of different sentences that are in both."""
    return len(_texts(one) & _texts(other))


def check_disjoint(one: Dataset, other: Dataset) -> None:
    """Raises UserInputError where a sentence is in both."""
    if shared := _texts(one) & _texts(other):
        raise UserInputError(
            f"{len(shared)} sentences are both in {one.source} ({one.split}) and in {other.source} ({other.split}), "
            f"such as {min(shared)[:60]!r}",
            "Leave them out of one of the two.",
        )


def _texts(dataset: Dataset) -> set[str]:
    return {sentence.text for sentence in dataset.sentences if sentence.text}

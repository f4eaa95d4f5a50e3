"""One variant against its PyTorch model on real text: labels, entities, scores and logits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain

from edgener.checkpoint import data_record
from edgener.data.tags import spans_of
from edgener.data.types import Dataset, Sentence
from edgener_runtime.errors import ParityError
from edgener_runtime.manifest import ParityFigures
from edgener_runtime.pipeline import TokenLogits

from .metrics import EntityScores, entity_scores
from .tagging import Tagger, token_tags

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class ParityReport:
    """One variant against PyTorch: the figures of the manifest, and the entity scores of both where there is gold."""

    variant: str
    data: str
    figures: ParityFigures
    scores: EntityScores | None
    scores_pytorch: EntityScores | None
    schema_version: int = SCHEMA_VERSION


@dataclass(frozen=True)
class Reference:
    """What PyTorch said of a data set, kept so that every variant is held against the same."""

    dataset: Dataset
    labels: tuple[str, ...]
    scored: list[TokenLogits]
    tags: list[list[str]]


def run_reference(model: Tagger, dataset: Dataset, step: Callable[[], None] | None = None) -> Reference:
    """Run the PyTorch model over a data set; `step()` is called after each sentence."""
    scored, tags = [], []
    for sentence, answer in zip(dataset.sentences, model.logits(s.text for s in dataset.sentences), strict=True):
        scored.append(answer)
        tags.append(token_tags(sentence, answer, model.labels))
        if step:
            step()
    return Reference(dataset, model.labels, scored, tags)


def compare(
    reference: Reference, variant: str, candidate: Tagger, step: Callable[[], None] | None = None
) -> ParityReport:
    """Hold a variant against PyTorch on the reference's text.

    Raises ParityError at once where the two do not even see the same subwords, or a logit is not finite.
    """
    sentences = reference.dataset.sentences
    difference, tags = 0.0, []
    for sentence, expected, found in zip(
        sentences, reference.scored, candidate.logits(s.text for s in sentences), strict=True
    ):
        difference = max(difference, _largest_difference(variant, sentence, expected, found))
        tags.append(token_tags(sentence, found, candidate.labels))
        if step:
            step()
    return _report(reference, variant, tags, difference)


def churn(expected: Sequence[Sequence[str]], found: Sequence[Sequence[str]]) -> float:
    """Entities that differ: half the symmetric difference over the count of `expected` (0 where both have none)."""
    ours, theirs = (
        {(i, span) for i, tags in enumerate(side) for span in spans_of(tags)[0]} for side in (found, expected)
    )
    if not theirs:
        return float(bool(ours))
    return len(ours ^ theirs) / 2 / len(theirs)


def _largest_difference(variant: str, sentence: Sentence, expected: TokenLogits, found: TokenLogits) -> float:
    import numpy as np

    if not np.array_equal(expected.input_ids, found.input_ids) or not np.array_equal(expected.offsets, found.offsets):
        raise ParityError(
            f"{variant}: the runtime splits {sentence.text[:60]!r} into other subwords than PyTorch's tokenizer",
            "Export the bundle again from the checkpoint's own tokenizer.json.",
        )
    if not np.isfinite(found.logits).all():
        raise ParityError(f"{variant}: a logit is not finite for {sentence.text[:60]!r}")
    return float(np.abs(expected.logits - found.logits).max()) if len(found.logits) else 0.0


def _report(reference: Reference, variant: str, tags: list[list[str]], difference: float) -> ParityReport:
    pairs = list(zip(chain(*tags), chain(*reference.tags), strict=True))
    gold = [sentence.tags() for sentence in reference.dataset.sentences]
    scored = any(sentence.spans for sentence in reference.dataset.sentences)
    scores, scores_pytorch = (entity_scores(gold, side) if scored else None for side in (tags, reference.tags))
    figures = ParityFigures(
        sentences=len(tags),
        tokens=len(pairs),
        equal_labels=sum(a == b for a, b in pairs) / max(1, len(pairs)),
        churn=churn(reference.tags, tags),
        max_logit_difference=difference,
        f1=scores.micro.f1 if scores else None,
        f1_pytorch=scores_pytorch.micro.f1 if scores_pytorch else None,
        f1_difference=scores.micro.f1 - scores_pytorch.micro.f1 if scores and scores_pytorch else None,
    )
    name = f"{data_record(reference.dataset).source} ({reference.dataset.split})"
    return ParityReport(variant, name, figures, scores, scores_pytorch)

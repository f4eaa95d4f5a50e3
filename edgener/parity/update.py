"""The gate of an updated model: its entity F1 against that of the model before, on the same labelled text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from edgener.checkpoint import data_record
from edgener.data.tags import tags_of
from edgener.data.types import Dataset
from edgener.parity.measures.counts import Counts, count_entities
from edgener.parity.measures.metrics import allowed_spans
from edgener.parity.measures.tagging import Answers

from .bootstrap import Estimate
from .budgets import EACH, Budget
from .figures import VariantFigures, measure
from .gate import Judgement, Verdict, judge_figures, overall


@dataclass(frozen=True)
class UpdateReport:
    """The comparison of an updated model with the one before on a test set; `labels` are those that counted."""

    data: str
    labels: tuple[str, ...]
    sentences: int
    entities: int
    f1_before: float | None
    f1_after: float | None
    f1_difference: Estimate | None
    judgements: tuple[Judgement, ...]
    verdict: Verdict


def judge_update(
    dataset: Dataset, before: Answers, after: Answers, labels: tuple[str, ...], budgets: Sequence[Budget]
) -> UpdateReport:
    """Judge the answers of two models to a test set that is annotated with `labels`.

    Entities of other labels that a model finds are left out. A budget for a label that the test set does not
    have is not judged.
    """
    figures = _measured(dataset, before, after, labels)
    known = (None, EACH, *figures.labels)
    judgements = judge_figures(figures, [budget for budget in budgets if budget.label in known])
    every = figures.overall
    return UpdateReport(
        f"{data_record(dataset).source} ({dataset.split})", labels, len(dataset.sentences), every.gold,
        every.f1_pytorch, every.f1, every.f1_difference, judgements, overall(judgements),
    )  # fmt: skip


def _measured(dataset: Dataset, before: Answers, after: Answers, labels: tuple[str, ...]) -> VariantFigures:
    """The figures, with those labels that the test set has."""
    import numpy as np

    gold = [sentence.tags() for sentence in dataset.sentences]
    first, second = (_tags_of(answers, labels) for answers in (before, after))
    nothing = np.zeros((len(gold), 2))  # tokens and batches are not compared
    documents = [sentence.document for sentence in dataset.sentences]
    found = measure(Counts(labels, count_entities(labels, gold, first, second), nothing, nothing, documents), {})
    return replace(found, labels={label: own for label, own in found.labels.items() if own.gold})


def _tags_of(answers: Answers, labels: Sequence[str]) -> list[list[str]]:
    """The tags in IOB2 of the entities that the scheme of the answers allows, of these labels."""
    scheme = answers.label_set.scheme
    return [
        tags_of([span for span in allowed_spans(tags, scheme) if span.label in labels], len(tags))
        for tags in answers.tags
    ]

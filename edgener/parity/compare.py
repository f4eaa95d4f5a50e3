"""The comparison of a variant with PyTorch on real text: labels, entities, scores, logits, batches and masks."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from edgener.checkpoint import data_record
from edgener.data.types import Dataset, Sentence
from edgener.parity.measures.batch_effect import Batched, count_batch_effect
from edgener.parity.measures.counts import Count, Counts, count_sentences
from edgener.parity.measures.diff import Change, DiffSummary, changes, summarise
from edgener.parity.measures.logits import LogitFigures, logit_figures
from edgener.parity.measures.masks import MaskDeviation, MaskedText, Runner, mask_deviations, mask_texts
from edgener.parity.measures.metrics import EntityScores, entity_scores
from edgener.parity.measures.tagging import Answers, answer
from edgener_runtime.bundle.golden_set import GoldenSet
from edgener_runtime.bundle.manifest import ParityFigures, ReferenceCounts
from edgener_runtime.decoding.schemes import DEFAULT
from edgener_runtime.errors import ParityError
from edgener_runtime.machine.cpu import isa
from edgener_runtime.monitoring.counts import count_reference
from edgener_runtime.pipeline import TokenLogits

from .bootstrap import Estimate
from .figures import VariantFigures, measure
from .gate import Judgement, Verdict, overall
from .reference import PyTorchModel, reference_answers

SCHEMA_VERSION = 1
MASKED_TEXTS = 32


@dataclass(frozen=True)
class ParityReport:
    """The comparison of one variant with PyTorch.

    `figures` are those of the manifest, `estimates` have their intervals and more figures; scores are None without gold
    entities. The gate adds judgements and verdict. `scheme` is that of the labels. `counts` are for the bundle: devices
    compare their texts with them.
    """

    variant: str
    data: str
    isa: str
    figures: ParityFigures
    estimates: VariantFigures
    logits: LogitFigures
    diff: DiffSummary
    scores: EntityScores | None
    scores_pytorch: EntityScores | None
    changes: tuple[Change, ...] = ()
    golden: GoldenSet | None = None
    judgements: tuple[Judgement, ...] = ()
    verdict: Verdict = Verdict.INCONCLUSIVE
    schema_version: int = SCHEMA_VERSION
    scheme: str = DEFAULT
    counts: ReferenceCounts | None = None

    def record(self) -> dict[str, Any]:
        """Everything but the changes, which have their own file, and the golden vectors and counts of the manifest."""
        record = dataclasses.asdict(dataclasses.replace(self, changes=(), golden=None))
        del record["golden"], record["counts"]
        return record


@dataclass(frozen=True)
class Reference:
    """PyTorch's answers on a data set, the same for every variant.

    `samples` are texts of ours with its answers, for golden vectors; where the data set is not `quotable`, only they
    may be stored.
    """

    dataset: Dataset
    answers: Answers
    masks: tuple[MaskedText, ...]
    unknown_id: int | None
    samples: tuple[str, ...] = ()
    sampled: tuple[TokenLogits, ...] = ()
    quotable: bool = True


class RunnableVariant(Batched, Runner, Protocol):
    """A variant in the runtime."""


def run_reference(
    model: PyTorchModel,
    dataset: Dataset,
    step: Callable[[], None] = lambda: None,
    samples: Sequence[str] = (),
    quotable: bool = True,
) -> Reference:
    """Run the PyTorch model on a data set and on samples; `step()` is called after each sentence."""
    answers = reference_answers(model, dataset.sentences, step)
    texts = [sentence.text for sentence in dataset.sentences if sentence.offsets][:MASKED_TEXTS]
    masks = mask_texts(model, model.inputs(texts)) if texts else ()
    return Reference(dataset, answers, masks, model.unknown_id, tuple(samples), tuple(model.logits(samples)), quotable)


def compare(
    reference: Reference,
    variant: str,
    candidate: RunnableVariant,
    step: Callable[[], None] = lambda: None,
    most_alone: int | None = None,
) -> ParityReport:
    """Compare a variant with PyTorch on the reference's text; `step()` is called twice per sentence.

    Raises what `run_variant` raises.
    """
    answers = run_variant(reference, variant, candidate, step)
    return compare_answers(reference, variant, candidate, answers, step, most_alone)


def run_variant(
    reference: Reference, variant: str, candidate: RunnableVariant, step: Callable[[], None] = lambda: None
) -> Answers:
    """A variant's answers to the reference's text; `step()` is called after each sentence.

    Raises ParityError where the subwords of the two differ, or a logit is not finite.
    """
    sentences = reference.dataset.sentences
    answers = answer(candidate, sentences, step)
    for sentence, expected, found in zip(sentences, reference.answers.scored, answers.scored, strict=True):
        _check_same_text(variant, sentence, expected, found)
    return answers


def compare_answers(
    reference: Reference,
    variant: str,
    candidate: RunnableVariant,
    answers: Answers,
    step: Callable[[], None] = lambda: None,
    most_alone: int | None = None,
) -> ParityReport:
    """Compare a variant's answers with PyTorch's; `step()` is called after each sentence.

    The batch effect is measured on `most_alone` sentences, or on all.
    """
    sentences, pytorch = reference.dataset.sentences, reference.answers
    batch = count_batch_effect(candidate, sentences, answers.tags, step, most_alone)
    counts = count_sentences(sentences, pytorch, answers, batch)
    return _report(reference, variant, answers, counts, mask_deviations(candidate, reference.masks))


def judged_report(report: ParityReport, judgements: tuple[Judgement, ...]) -> ParityReport:
    """The report with the judgements of the gate."""
    verdict = overall(judgements)
    figures = dataclasses.replace(report.figures, verdict=verdict.value)
    return dataclasses.replace(report, figures=figures, judgements=judgements, verdict=verdict)


def _check_same_text(variant: str, sentence: Sentence, expected: TokenLogits, found: TokenLogits) -> None:
    import numpy as np

    if not np.array_equal(expected.input_ids, found.input_ids) or not np.array_equal(expected.offsets, found.offsets):
        raise ParityError(
            f"{variant}: the runtime splits {sentence.text[:60]!r} into other subwords than PyTorch's tokenizer",
            "Export the bundle again from the checkpoint's own tokenizer.json.",
        )
    if not np.isfinite(found.logits).all():
        raise ParityError(f"{variant}: a logit is not finite for {sentence.text[:60]!r}")


def _report(
    reference: Reference, variant: str, answers: Answers, counts: Counts, masks: dict[str, MaskDeviation]
) -> ParityReport:
    sentences, pytorch = reference.dataset.sentences, reference.answers
    gold = [sentence.tags() for sentence in sentences]
    estimates, logits = measure(counts, masks), logit_figures(sentences, pytorch, answers)
    found = tuple(changes(sentences, pytorch, answers))
    scores, scores_pytorch = (
        entity_scores(gold, side.tags, pytorch.label_set.scheme) if reference.dataset.labels else None
        for side in (answers, pytorch)
    )
    return ParityReport(
        variant=variant,
        data=f"{data_record(reference.dataset).source} ({reference.dataset.split})",
        isa=isa(),
        figures=_manifest_figures(counts, estimates, logits),
        estimates=estimates,
        logits=logits,
        diff=summarise(found, sentences, pytorch, counts, reference.unknown_id),
        scores=scores,
        scores_pytorch=scores_pytorch,
        changes=found,
        scheme=pytorch.label_set.scheme,
        counts=count_reference(
            answers.label_set,
            reference.unknown_id,
            ((scored.input_ids.tolist(), scored.logits) for scored in answers.scored),
        ),
    )


def _manifest_figures(counts: Counts, estimates: VariantFigures, logits: LogitFigures) -> ParityFigures:
    every, batch = estimates.overall, estimates.batch_effect
    return ParityFigures(
        sentences=len(counts.tokens),
        tokens=int(counts.tokens[:, 1].sum()),
        equal_labels=estimates.equal_labels.value if estimates.equal_labels else 1.0,
        churn=every.churn.value if every.churn else float(bool(counts.entities[..., Count.CHANGED].sum())),
        max_logit_difference=logits.max_difference,
        f1=every.f1,
        f1_pytorch=every.f1_pytorch,
        f1_difference=every.f1_difference.value if every.f1_difference else None,
        f1_difference_interval=_ends(every.f1_difference),
        churn_interval=_ends(every.churn),
        batch_effect=batch.value if batch else None,
        batch_effect_interval=_ends(batch),
    )


def _ends(estimate: Estimate | None) -> tuple[float, float] | None:
    return (estimate.low, estimate.high) if estimate else None

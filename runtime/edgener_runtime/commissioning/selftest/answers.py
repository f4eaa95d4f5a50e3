"""Golden answers: a model's answers to texts, and the distance between two machines or variants."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgener_runtime.bundle.manifest import Manifest, VariantEntry
from edgener_runtime.errors import UserInputError
from edgener_runtime.golden import floor_of
from edgener_runtime.machine.devices import CPU

from .report import Answer

if TYPE_CHECKING:
    from edgener_runtime.pipeline import TokenClassifier

TEXTS = 24  # synthetic ones, of 4 to 40 words

SAME = 1e-3  # the permitted distance between two runs on one machine: GPUs sum in no fixed order


@dataclass(frozen=True)
class AnswerComparison:
    """Two machines' answers to the same texts: subwords, labels that differ, and the largest difference of a logit.

    `undecided` of those that differ are not faults: the reference's own lead there is within twice the band.
    """

    subwords: int
    differing: int
    undecided: int
    largest: float


def answer_all(classifier: TokenClassifier, texts: Sequence[str]) -> tuple[Answer, ...]:
    """The answers of a loaded classifier, each text alone: machines are compared, not batches."""
    return tuple(_answer(classifier, text) for text in texts)


def _answer(classifier: TokenClassifier, text: str) -> Answer:
    import numpy as np

    [found] = classifier.logits([text])
    ordered = np.sort(found.logits, axis=-1)
    best = ordered[:, -1]
    leads = best - ordered[:, -2] if ordered.shape[-1] > 1 else best
    return Answer(
        hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest(),
        " ".join(str(label) for label in found.logits.argmax(axis=-1)),
        " ".join(f"{logit:.4f}" for logit in best),
        " ".join(f"{lead:.4f}" for lead in leads),
    )


def compare(own: Sequence[Answer], known: Sequence[Answer], band: float) -> AnswerComparison:
    """Compare `own` answers with `known` ones. Raises UserInputError for other texts or another tokenizer."""
    reference = {answer.text: answer for answer in known}
    pairs = [(answer, reference.get(answer.text)) for answer in own]
    found = [_compare_text(one, other, band) for one, other in pairs if other is not None]
    if not found or len(found) < len(pairs):
        raise UserInputError(
            f"{len(pairs) - len(found)} of {len(pairs)} texts have no answer in the reference",
            "Compare reports of the same bundle and the same texts (--input).",
        )
    return AnswerComparison(
        sum(one.subwords for one in found),
        sum(one.differing for one in found),
        sum(one.undecided for one in found),
        max(one.largest for one in found),
    )


def _compare_text(own: Answer, known: Answer, band: float) -> AnswerComparison:
    labels = list(zip(own.labels.split(), known.labels.split(), strict=False))
    if len(labels) != len(known.labels.split()) or len(labels) != len(own.labels.split()):
        raise UserInputError(
            f"a text has {len(own.labels.split())} subwords here and {len(known.labels.split())} in the reference",
            "Compare reports of the same bundle.",
        )
    leads = map(float, known.leads.split())
    differing = [lead for (mine, its), lead in zip(labels, leads, strict=True) if mine != its]
    logits = zip(map(float, own.logits.split()), map(float, known.logits.split()), strict=True)
    largest = max((abs(mine - its) for mine, its in logits), default=0.0)
    return AnswerComparison(len(labels), len(differing), sum(lead <= 2 * band for lead in differing), largest)


def band_of(variant: VariantEntry) -> float:
    """The permitted distance of this variant's logits from its reference's.

    The larger of two: the distance from PyTorch's in the parity report, and the rounding of its precision.
    """
    floor = floor_of(variant.precision)
    return max(floor, variant.parity.max_logit_difference) if variant.parity else floor


def reference_of(manifest: Manifest, variant: VariantEntry, provider: str) -> VariantEntry | None:
    """The reference of a variant on this CPU: itself if it ran elsewhere, else FP32; None if there is neither.

    FP32 on the CPU is the reference itself: it needs another machine's report.
    """
    if provider != CPU and CPU in variant.requirements.providers:
        return variant
    exact = [entry for entry in manifest.variants if entry.precision == "fp32" and CPU in entry.requirements.providers]
    return next((entry for entry in exact if entry != variant), None)

"""Golden answers: what a model says of texts, and how far two machines or variants are from each other."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgener_runtime.bundle.manifest import Manifest, VariantEntry
from edgener_runtime.errors import UserInputError
from edgener_runtime.machine.devices import CPU

from .report import Answer

if TYPE_CHECKING:
    from edgener_runtime.pipeline import TokenClassifier

TEXTS = 24  # made-up ones, of 4 to 40 words

# How far a logit may be from the reference's before that is a fault, by precision: FP32 is summed in another order,
# FP16 has 10 bits of mantissa. Not held against a device yet.
FLOORS = {"fp32": 0.01, "fp16": 0.05}
_OTHER_FLOOR = 0.1
SAME = 1e-3  # how far logits may be apart of one machine that is asked twice: GPUs sum in no fixed order


@dataclass(frozen=True)
class Comparison:
    """Two machines' answers to the same texts: subwords, labels that differ, and the largest difference of a logit.

    `undecided` of those that differ are no fault: the reference's own lead there is within twice the band.
    """

    subwords: int
    differing: int
    undecided: int
    largest: float


def answer_all(classifier: TokenClassifier, texts: Sequence[str]) -> tuple[Answer, ...]:
    """The answers of a loaded classifier, each text alone: what is compared is the machine, not the batch."""
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


def compare(own: Sequence[Answer], known: Sequence[Answer], band: float) -> Comparison:
    """`own` answers against `known` ones. Raises UserInputError where those are of other texts or another tokenizer."""
    reference = {answer.text: answer for answer in known}
    pairs = [(answer, reference.get(answer.text)) for answer in own]
    found = [_compare_text(one, other, band) for one, other in pairs if other is not None]
    if not found or len(found) < len(pairs):
        raise UserInputError(
            f"{len(pairs) - len(found)} of {len(pairs)} texts were not asked of the reference",
            "Compare reports of the same bundle and the same texts (--input).",
        )
    return Comparison(
        sum(one.subwords for one in found),
        sum(one.differing for one in found),
        sum(one.undecided for one in found),
        max(one.largest for one in found),
    )


def _compare_text(own: Answer, known: Answer, band: float) -> Comparison:
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
    return Comparison(len(labels), len(differing), sum(lead <= 2 * band for lead in differing), largest)


def band_of(variant: VariantEntry) -> float:
    """How far a logit of this variant may be from its reference's.

    Not more than it was from PyTorch's on the text that it was judged on, or than rounding of its precision gives.
    """
    floor = FLOORS.get(variant.precision, _OTHER_FLOOR)
    return max(floor, variant.parity.max_logit_difference) if variant.parity else floor


def reference_of(manifest: Manifest, variant: VariantEntry, provider: str) -> VariantEntry | None:
    """What the variant's answers are held against on this CPU: itself if it ran elsewhere, else FP32; None for neither.

    FP32 on the CPU is the reference itself: another machine's report has to tell of it.
    """
    if provider != CPU and CPU in variant.requirements.providers:
        return variant
    exact = [entry for entry in manifest.variants if entry.precision == "fp32" and CPU in entry.requirements.providers]
    return next((entry for entry in exact if entry != variant), None)

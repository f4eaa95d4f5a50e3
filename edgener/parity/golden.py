"""The golden vectors of a variant: the texts that show first when it computes otherwise, with its answers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgener_runtime.bundle.golden_set import GoldenSet, GoldenVector
from edgener_runtime.decoding.schemes import OUTSIDE, LabelSet
from edgener_runtime.golden import floor_of, golden_answer, smallest_lead
from edgener_runtime.pipeline import TokenClassifier, TokenLogits
from edgener_runtime.text.tokenize import without_surrogates

from .compare import Reference
from .measures.tagging import Answers

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SHARE = 0.5  # of the largest distance from PyTorch
MOST, MOST_CHARACTERS = 20, 2000  # texts, and characters of each
_DISTURBED, _UNICODE = 4, 3
_HUNDREDTHS = 2  # decimals: what differs by less is the same on every machine


@dataclass(frozen=True)
class AnsweredText:
    """A text with PyTorch's logits and the variant's, (subwords, labels) each."""

    text: str
    pytorch: NDArray[np.float32]
    variant: NDArray[np.float32]

    @property
    def distance(self) -> float:
        """The largest difference of a logit, in hundredths; 0 without subwords."""
        import numpy as np

        return round(float(np.abs(self.pytorch - self.variant).max(initial=0)), _HUNDREDTHS)

    def types(self, label_set: LabelSet) -> set[str]:
        """The types of entities that the variant finds."""
        tags = (label_set.tags[label] for label in set(self.variant.argmax(axis=-1).tolist()))
        return {tag[2:] for tag in tags if tag != OUTSIDE}


def golden_set(reference: Reference, answers: Answers, classifier: TokenClassifier) -> GoldenSet:
    """The golden vectors of a loaded variant, chosen by its answers to the evaluation text and to edgener's samples.

    Where the evaluation text may not be quoted, all are samples. Numbers are in hundredths, so that another export
    writes the same.
    """
    texts = [sentence.text for sentence in reference.dataset.sentences]
    evaluated = [*_answered(texts, reference.answers.scored, answers.scored)]
    samples = [*_answered(reference.samples, reference.sampled, classifier.logits(reference.samples))]
    band = band_of(classifier.variant.precision, evaluated)
    chosen = choose(evaluated if reference.quotable else samples, samples, answers.label_set, band)
    vectors = tuple(_vector(classifier, text, why, band) for text, why in chosen.items())
    return GoldenSet(band, "evaluation" if reference.quotable else "samples", vectors)


def band_of(precision: str, evaluated: Iterable[AnsweredText]) -> float:
    """How far a logit may be from the variant's own at the export: between the noise of other kernels and a fault.

    It is SHARE of the largest distance between the variant and PyTorch on the evaluation text, and at least what the
    rounding of its precision explains. @MEASURED@
    """
    largest = max((each.distance for each in evaluated), default=0.0)
    return max(floor_of(precision), math.ceil(100 * SHARE * largest) / 100)


def choose(
    pool: Sequence[AnsweredText], samples: Sequence[AnsweredText], label_set: LabelSet, band: float
) -> dict[str, str]:
    """At most MOST texts, each with the reason: empty, the longest, disturbed most, Unicode, and one per type.

    Disturbed is what has the largest distance from PyTorch. The text of a type is the most disturbed of those whose
    labels are all too far from a tie to change within the band, unless another text of this kind has the type already.
    """
    ranked, chosen = _by_distance(pool), {"": "empty"}
    if pool:
        chosen.setdefault(max(pool, key=lambda each: len(each.variant)).text, "longest")
    for texts, count, why in ((ranked, _DISTURBED, "disturbed most"), (_by_distance(samples), _UNICODE, "Unicode")):
        others = [each.text for each in texts if each.text not in chosen]
        chosen |= dict.fromkeys(others[:count], why)
    decided = {each.text: each.types(label_set) for each in ranked if smallest_lead(each.variant) > 2 * band}
    for name in label_set.types:
        having = [text for text, types in decided.items() if name in types]
        if having and len(chosen) < MOST and chosen.keys().isdisjoint(having):
            chosen[having[0]] = f"has {name}"
    return chosen


def _by_distance(texts: Iterable[AnsweredText]) -> list[AnsweredText]:
    return sorted(texts, key=lambda each: -each.distance)


def _answered(
    texts: Sequence[str], pytorch: Iterable[TokenLogits], variant: Iterable[TokenLogits]
) -> Iterator[AnsweredText]:
    """The texts that a manifest can hold, with both answers."""
    for text, expected, found in zip(texts, pytorch, variant, strict=True):
        if len(text) <= MOST_CHARACTERS and text == without_surrogates(text):
            yield AnsweredText(text, expected.logits, found.logits)


def _vector(classifier: TokenClassifier, text: str, why: str, band: float) -> GoldenVector:
    found = golden_answer(classifier, text)
    logits = tuple(round(logit, _HUNDREDTHS) for logit in found.logits)
    return GoldenVector(text, why, found.subwords, found.entities if found.lead > 2 * band else None, logits)

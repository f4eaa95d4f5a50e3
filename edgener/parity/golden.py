"""The golden vectors of a variant: the texts that show first when it computes otherwise, with its answers."""

from __future__ import annotations

import math
import statistics
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
    band, limit = bounds(classifier.variant.precision, evaluated)
    chosen = choose(evaluated if reference.quotable else samples, samples, answers.label_set, limit)
    vectors = tuple(_vector(classifier, text, why, limit) for text, why in chosen.items())
    return GoldenSet(band, limit, "evaluation" if reference.quotable else "samples", vectors)


def bounds(precision: str, evaluated: Iterable[AnsweredText]) -> tuple[float, float]:
    """How far the logits may be from the variant's own at the export: in half of the texts, and in all.

    The first is half of the median distance of a text from PyTorch, the second the largest distance, each no less than
    what the rounding of the precision explains. Another exact kernel, be it of another instruction set, of another
    onnxruntime or with a relative noise of 1e-7 in every weight, leaves most texts as they are, but rounds a few
    activations to the next step: these texts get another quantisation error, which is as large as the first. So the
    largest difference says little, and the median much. Measured on int8-dynamic of BERT with 2 layers and MiniLM with
    6, in turn: median distance from PyTorch 0.06 and 1.5; median difference with the noise 0.000 and 0.000 (0.000 and
    0.29 with ten times as much), with sums that saturate on a CPU without VNNI 0.36 and 1.13. The largest difference
    with the noise was 0.015 and 1.7, the largest distance 0.25 and 2.7.
    """
    distances = [each.distance for each in evaluated if len(each.variant)] or [0.0]
    median, largest = statistics.median(distances) / 2, max(distances)
    floor = floor_of(precision)
    return max(floor, math.ceil(100 * median) / 100), max(floor, round(largest, _HUNDREDTHS))


def choose(
    pool: Sequence[AnsweredText], samples: Sequence[AnsweredText], label_set: LabelSet, limit: float
) -> dict[str, str]:
    """At most MOST texts, each with the reason: empty, the longest, disturbed most, Unicode, and one per type.

    Disturbed is what has the largest distance from PyTorch. The text of a type is the most disturbed of those whose
    labels are all too far from a tie to change within the limit, unless another text of this kind has the type already.
    """
    ranked, chosen = _by_distance(pool), {"": "empty"}
    if pool:
        chosen.setdefault(max(pool, key=lambda each: len(each.variant)).text, "longest")
    for texts, count, why in ((ranked, _DISTURBED, "disturbed most"), (_by_distance(samples), _UNICODE, "Unicode")):
        others = [each.text for each in texts if each.text not in chosen]
        chosen |= dict.fromkeys(others[:count], why)
    decided = {each.text: each.types(label_set) for each in ranked if smallest_lead(each.variant) > 2 * limit}
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


def _vector(classifier: TokenClassifier, text: str, why: str, limit: float) -> GoldenVector:
    found = golden_answer(classifier, text)
    logits = tuple(round(logit, _HUNDREDTHS) for logit in found.logits)
    return GoldenVector(text, why, found.subwords, found.entities if found.lead > 2 * limit else None, logits)

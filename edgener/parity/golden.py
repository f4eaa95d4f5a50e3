"""The golden vectors of a variant: the texts that show first when it computes otherwise, with its answers."""

from __future__ import annotations

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


@dataclass(frozen=True, eq=False)
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
    """How far the largest logits may be from the variant's own at the export: in half of the texts, and in all.

    The first is half of the median distance of a text from PyTorch, the second the largest distance of any logit, both
    no less than what the rounding of the precision explains.

    Another exact kernel, of another instruction set or onnxruntime, leaves most texts as they are, and rounds a few
    activations of others to the next step: those get another quantisation error, as large as the first. So the largest
    difference says little, and the median much. Measured on int8-dynamic of a BERT with 2 layers and of MiniLM with 6
    (benchmarks/golden_bounds.py): the median distance from FP32 was 0.04 and 0.84; with a relative noise of 1e-7 in
    every float weight, a stand-in for other kernels, the median difference was 0 and 0, with ten times as much 0 and
    0.26; with sums that saturate on a CPU without VNNI it was 0.38 and 1.10.
    """
    import numpy as np

    texts = [each for each in evaluated if len(each.variant)]
    moved = [np.abs(each.pytorch.max(axis=0) - each.variant.max(axis=0)).max() for each in texts] or [0.0]
    largest, floor = max((each.distance for each in texts), default=0.0), floor_of(precision)
    return max(floor, round(float(np.median(moved)) / 2, _HUNDREDTHS)), max(floor, largest)


def choose(
    pool: Sequence[AnsweredText], samples: Sequence[AnsweredText], label_set: LabelSet, limit: float
) -> dict[str, str]:
    """At most MOST texts, each with the reason: empty, the longest, disturbed most, Unicode, and one per type.

    Disturbed is what has the largest distance from PyTorch. The text of a type is the one whose labels are furthest
    from a tie, too far to change within the limit, unless another such text has the type already.
    """
    ranked, chosen = _by_distance(pool), {"": "empty"}
    if pool:
        chosen.setdefault(max(pool, key=lambda each: len(each.variant)).text, "longest")
    for texts, count, why in ((ranked, _DISTURBED, "disturbed most"), (_by_distance(samples), _UNICODE, "Unicode")):
        others = [each.text for each in texts if each.text not in chosen]
        chosen |= dict.fromkeys(others[:count], why)
    leads = {each: round(smallest_lead(each.variant), _HUNDREDTHS) for each in pool}
    surest = sorted((each for each in pool if leads[each] > 2 * limit), key=lambda each: -leads[each])
    decided = {each.text: each.types(label_set) for each in surest}
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
    """The texts that a manifest can hold, with both answers; other subwords are the gate's to judge."""
    for text, expected, found in zip(texts, pytorch, variant, strict=True):
        has_same_subwords = expected.logits.shape == found.logits.shape
        if has_same_subwords and len(text) <= MOST_CHARACTERS and text == without_surrogates(text):
            yield AnsweredText(text, expected.logits, found.logits)


def _vector(classifier: TokenClassifier, text: str, why: str, limit: float) -> GoldenVector:
    found = golden_answer(classifier, text)
    logits = tuple(round(logit, _HUNDREDTHS) for logit in found.logits)
    return GoldenVector(text, why, found.subwords, found.entities if found.lead > 2 * limit else None, logits)

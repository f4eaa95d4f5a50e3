"""Golden vectors: what a variant answered where it was exported, compared with what it answers here.

They find a changed model, another tokenizer, and kernels that compute otherwise, such as INT8 sums that saturate.
"""

from __future__ import annotations

import hashlib
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .bundle.golden_set import GoldenEntity, GoldenSet, GoldenVector
from .decoding.entity import Decoding
from .errors import ParityError
from .text.chunks import ProbeText

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .pipeline import TokenClassifier, TokenLogits

_DECODING = Decoding("simple", thresholds={})  # whatever a bundle's own are: a score near one would be a tie
_DIGITS = 16  # of the SHA-256 of subwords
_HINT = (
    "The model, its tokenizer or a kernel on this machine is not as at the export.\n"
    "Try another variant here, or export the bundle again."
)

# The least permitted distance of a logit from the reference's, by precision: FP32 is summed in another order, FP16 has
# a mantissa of 10 bits. Not verified on a Jetson or with TensorRT yet.
FLOORS = {"fp32": 0.01, "fp16": 0.05}
_OTHER_FLOOR = 0.1


@dataclass(frozen=True)
class GoldenAnswer:
    """An answer to a text that ran alone, as a `GoldenVector` has it; `lead` is that of `smallest_lead`."""

    subwords: str
    entities: tuple[GoldenEntity, ...]
    logits: tuple[float, ...]
    lead: float


@dataclass(frozen=True)
class GoldenOutcome:
    """Golden vectors that all passed: how many, and how far their logits differ, in half of them and in all.

    `untested` are the types of entities that none of them has.
    """

    vectors: int
    median: float
    largest: float
    untested: tuple[str, ...]


def floor_of(precision: str) -> float:
    """The least permitted distance of a logit for a precision, whatever was measured."""
    return FLOORS.get(precision, _OTHER_FLOOR)


def golden_answer(classifier: TokenClassifier, text: str) -> GoldenAnswer:
    """The answer of a loaded variant to a text that runs alone. Raises what a run raises."""
    own = ProbeText(text)
    [scored] = classifier.logits([own])
    entities = tuple(GoldenEntity(each.label, each.start, each.end) for each in classifier.predict(own, _DECODING))
    highest = tuple(scored.logits.max(axis=0).tolist()) if len(scored.logits) else ()
    return GoldenAnswer(_digest(scored), entities, highest, smallest_lead(scored.logits))


def smallest_lead(logits: NDArray[np.float32]) -> float:
    """The smallest distance of a subword's best logit from its second best, of (subwords, labels).

    It is infinite without subwords, and where there is one label.
    """
    import numpy as np

    if logits.shape[-1] < 2:
        return float("inf")
    ordered = np.sort(logits, axis=-1)
    return float((ordered[:, -1] - ordered[:, -2]).min(initial=np.inf))


def check_golden(classifier: TokenClassifier) -> GoldenOutcome | None:
    """Run the golden vectors of the loaded variant; None where its bundle has none.

    Raises ParityError naming the first that has another answer, and what a run raises.
    """
    golden = classifier.variant.golden
    if golden is None:
        return None
    pairs = [(vector, golden_answer(classifier, vector.text)) for vector in golden.vectors]
    faults = [_fault(vector, found, golden.limit, classifier.labels) for vector, found in pairs]
    failed = [number for number, fault in enumerate(faults) if fault]
    if failed:
        first = failed[0]
        where = f"text {first + 1} ({golden.vectors[first].chosen})"
        raise ParityError(
            f"{len(failed)} of {len(pairs)} golden vectors have another answer here; {where}: {faults[first]}", _HINT
        )
    distances = [max(_distances(vector, found)) for vector, found in pairs if vector.logits] or [0.0]
    if (median := statistics.median(distances)) > golden.band:
        raise ParityError(
            f"the logits of half of the {len(pairs)} golden vectors differ by {median:.2g} or more, "
            f"expected at most {golden.band:g}",
            _HINT,
        )
    return GoldenOutcome(len(pairs), median, max(distances), untested_types(golden, classifier.label_set.types))


def checked(load: Callable[[Path], TokenClassifier]) -> Callable[[Path], TokenClassifier]:
    """A loader that also checks the golden vectors. It raises what `load` and `check_golden` raise."""

    def load_checked(bundle: Path) -> TokenClassifier:
        classifier = load(bundle)
        try:
            check_golden(classifier)
        except BaseException:
            classifier.close()
            raise
        return classifier

    return load_checked


def untested_types(golden: GoldenSet, types: Sequence[str]) -> tuple[str, ...]:
    """The types of entities that no golden vector expects."""
    expected = {entity.label for vector in golden.vectors for entity in vector.entities or ()}
    return tuple(name for name in types if name not in expected)


def _fault(vector: GoldenVector, found: GoldenAnswer, limit: float, labels: Sequence[str]) -> str | None:
    """How an answer differs from that of a vector, if a logit does by more than `limit`, or anything else does."""
    if (found.subwords, len(found.logits)) != (vector.subwords, len(vector.logits)):
        return "it is split into other subwords"
    for label, own, known in zip(labels, found.logits, vector.logits, strict=False):
        if abs(own - known) > limit:
            return f"the largest logit of {label} is {own:.2f}, expected {known:.2f} within {limit:g}"
    if vector.entities is not None and found.entities != vector.entities:
        return f"it has the entities {_listed(found.entities)}, expected {_listed(vector.entities)}"
    return None


def _distances(vector: GoldenVector, found: GoldenAnswer) -> list[float]:
    return [abs(own - known) for own, known in zip(found.logits, vector.logits, strict=True)]


def _listed(entities: Sequence[GoldenEntity]) -> str:
    return ", ".join(f"{each.label} {each.start}-{each.end}" for each in entities) or "(none)"


def _digest(scored: TokenLogits) -> str:
    """The first digits of the SHA-256 of a text's subwords: id, start and end of each, as text."""
    subwords = zip(scored.input_ids.tolist(), scored.offsets.tolist(), strict=True)
    text = " ".join(f"{number}:{start}-{end}" for number, (start, end) in subwords)
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:_DIGITS]

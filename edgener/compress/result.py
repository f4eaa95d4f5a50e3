"""The result of a compression: its candidates, the Pareto front, and the one that meets the target or comes nearest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from edgener.checkpoint import DataRecord
from edgener.parity.bootstrap import Estimate
from edgener_runtime.bundle.manifest import Speed

from .candidates import ModelShape
from .layers import LayerChoice
from .vocabulary import VocabularyFigures

SCHEMA_VERSION = 1
FULL = "full"


@dataclass(frozen=True)
class Target:
    """The largest time of a text alone in milliseconds, the largest file in MB, and the entity F1 that may be lost."""

    ms: float | None
    mb: float | None
    f1_drop: float


@dataclass(frozen=True)
class AnswerFigures:
    """The entity F1 of a candidate on a split through the runtime, and its difference to and churn against the
    checkpoint in PyTorch."""

    split: str
    f1: float
    f1_difference: Estimate | None
    churn: Estimate | None


@dataclass(frozen=True)
class CompressedModel:
    """A candidate: its shape, its file and speed, and where it was trained what it answers.

    Size and speed depend on the shape alone and are measured before any training. `f1_before` is the entity F1 of the
    pruned model in PyTorch.
    """

    name: str
    shape: ModelShape
    size: int
    speed: Speed
    f1_before: float | None = None
    answers: AnswerFigures | None = None

    @property
    def ms(self) -> float:
        """Milliseconds of a text alone, from text to entities."""
        return self.speed.latency_ms.median

    @property
    def mb(self) -> float:
        """Megabytes of its file."""
        return self.size / 1e6

    @property
    def lost(self) -> float:
        """The entity F1 that it lost."""
        found = self.answers.f1_difference if self.answers else None
        return -found.value if found else 0.0


@dataclass(frozen=True)
class CompressionResult:
    """The candidates of a compression, the largest first, and the chosen one; `test` has its figures on the test split.

    `layers` has the choice of layers by their number; `vocabulary` is None where it stays; `notes` say why.
    """

    checkpoint: str
    data: dict[str, DataRecord]
    variant: str
    isa: str
    target: Target
    candidates: tuple[CompressedModel, ...]
    front: tuple[str, ...]
    chosen: str
    misses: tuple[str, ...]
    layers: dict[str, LayerChoice] = field(default_factory=dict)
    vocabulary: VocabularyFigures | None = None
    test: AnswerFigures | None = None
    notes: tuple[str, ...] = ()
    schema_version: int = SCHEMA_VERSION

    @property
    def best(self) -> CompressedModel:
        """The chosen candidate."""
        return next(each for each in self.candidates if each.name == self.chosen)

    def with_test(self, figures: AnswerFigures | None) -> CompressionResult:
        """The result with the chosen candidate's figures on the test split."""
        return replace(self, test=figures)


def meets_size_and_time(candidate: CompressedModel, target: Target) -> bool:
    """Whether a candidate meets the parts of a target that its shape decides."""
    return _excess(candidate, target) <= 0


def choose(candidates: Sequence[CompressedModel], target: Target) -> CompressedModel:
    """Of the judged candidates within the loss of F1 the best one that meets the target, else the nearest to it.

    The checkpoint itself loses nothing, so there is always one.
    """
    within = [each for each in candidates if (each.answers and each.lost <= target.f1_drop) or each.name == FULL]
    met = [each for each in within if meets_size_and_time(each, target)]
    if met:
        return max(met, key=lambda each: (each.answers.f1 if each.answers else 0.0, -each.ms))
    return min(within, key=lambda each: _excess(each, target))


def missed(candidate: CompressedModel, target: Target) -> tuple[str, ...]:
    """What of a target a candidate misses, in words."""
    found = (
        (candidate.ms, target.ms, "{:.2f} ms per text, the target is {:g} ms"),
        (candidate.mb, target.mb, "{:.1f} MB, the target is {:g} MB"),
        (candidate.lost, target.f1_drop, "{:.4f} of entity F1 lost, the budget is {:g}"),
    )
    return tuple(text.format(value, limit) for value, limit, text in found if limit is not None and value > limit)


def pareto_front(candidates: Sequence[CompressedModel]) -> tuple[str, ...]:
    """The names of the judged candidates that no other one beats in time, size, F1 and churn at once."""
    costs = {each.name: _costs(each) for each in candidates if each.answers}
    return tuple(name for name, own in costs.items() if not any(_beats(other, own) for other in costs.values()))


def _costs(candidate: CompressedModel) -> tuple[float, ...]:
    answers = candidate.answers
    churn = answers.churn.value if answers and answers.churn else 0.0
    return candidate.ms, candidate.size, -answers.f1 if answers else 0.0, churn


def _beats(one: Sequence[float], other: Sequence[float]) -> bool:
    return one != other and all(a <= b for a, b in zip(one, other, strict=True))


def _excess(candidate: CompressedModel, target: Target) -> float:
    """By what share a candidate is over the part of the target that it misses most; 0 or less where it meets it."""
    limits = ((candidate.ms, target.ms), (candidate.mb, target.mb))
    return max((value / limit - 1 for value, limit in limits if limit is not None), default=0.0)


def verdict(result: CompressionResult) -> str:
    """The sentence that says whether the target is met."""
    best, target = result.best, result.target
    limits = [f"{limit:g} {unit}" for limit, unit in ((target.ms, "ms"), (target.mb, "MB")) if limit is not None]
    asked = f"{' and '.join(limits)} with at most {target.f1_drop:g} of F1 lost on valid"
    if not result.misses:
        return f"{best.name!r} meets the target of {asked}."
    return f"No candidate meets the target of {asked}. The nearest is {best.name!r}: {'; '.join(result.misses)}."


def record_of(result: CompressionResult) -> dict[str, Any]:
    """What the checkpoint's record says of its compression."""
    best = result.best
    choice = result.layers.get(str(best.shape.layers))
    return {
        "from": result.checkpoint,
        "candidate": best.name,
        "layers": list(choice.kept) if choice else None,
        "feed_forward": best.shape.feed_forward,
        "vocabulary": best.shape.vocabulary,
    }

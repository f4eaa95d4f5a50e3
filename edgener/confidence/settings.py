"""The score settings of a bundle: a temperature and thresholds from validation text, and what they cost.

Everything is measured through the runtime, on the variant whose scores the devices compare with the thresholds.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from edgener.checkpoint import data_record
from edgener.data.types import Dataset
from edgener.parity.measures.tagging import answer
from edgener.progress import Track, untracked
from edgener_runtime.decoding.entity import ScoreSettings
from edgener_runtime.pipeline import TokenClassifier

from .predictions import ScoredEntity, scored_entities
from .reliability import Reliability, fitted, reliability
from .thresholds import LEVEL, Choice, Detection, choose_threshold, detection


@dataclass(frozen=True)
class LabelThreshold:
    """A label's threshold, and its entities in each split, without thresholds and with them."""

    choice: Choice
    before: dict[str, Detection]
    after: dict[str, Detection]


@dataclass(frozen=True)
class ScoreReport:
    """The settings that were found for a variant, asked for a precision, and what they change in each split."""

    variant: str
    precision: float
    settings: ScoreSettings
    labels: dict[str, LabelThreshold]
    reliability: dict[str, Reliability]
    data: dict[str, dict[str, Any]]

    def record(self) -> dict[str, Any]:
        """What the provenance of the bundle says."""
        return {"variant": self.variant, "precision": self.precision, "level": LEVEL, "data": self.data["valid"]}


def find_settings(
    classifier: TokenClassifier, splits: dict[str, Dataset], precision: float, track: Track = untracked
) -> ScoreReport:
    """The settings that validation text gives a variant; `splits` has valid, and further ones that are measured."""
    answers = {
        name: answer(classifier, split.sentences, track(name, len(split.sentences))) for name, split in splits.items()
    }
    valid = splits["valid"]
    temperature, origin = fitted(valid, answers["valid"])
    scaled = ScoreSettings(temperature or 1.0)
    found = {name: scored_entities(split.sentences, answers[name], scaled) for name, split in splits.items()}
    labels = {
        label: _label_threshold(label, splits, found, choose_threshold(found["valid"], label, precision))
        for label in classifier.label_set.types
    }
    thresholds = {label: each.choice.threshold for label, each in labels.items() if each.choice.threshold}
    return ScoreReport(
        classifier.variant.name,
        precision,
        ScoreSettings(scaled.temperature, {label: score for label, score in thresholds.items() if score}),
        labels,
        {name: reliability(split.sentences, answers[name], temperature, origin) for name, split in splits.items()},
        {name: asdict(data_record(split)) for name, split in splits.items()},
    )


def _label_threshold(
    label: str, splits: dict[str, Dataset], found: dict[str, list[ScoredEntity]], choice: Choice
) -> LabelThreshold:
    gold = {name: split.entity_counts[label] for name, split in splits.items()}
    before, after = (
        {name: detection(found[name], label, gold[name], threshold) for name in splits}
        for threshold in (0.0, choice.threshold or 0.0)
    )
    return LabelThreshold(choice, before, after)

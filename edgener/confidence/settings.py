"""The score settings of a bundle: a temperature and thresholds from validation text, and what they cost.

Everything is measured through the runtime, on a variant of the bundle: the scores are those that a device compares with
the thresholds. Variants of one bundle differ too little to need their own (docs/how-to/thresholds.md).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from edgener.checkpoint import data_record
from edgener.data.types import Dataset
from edgener.parity.measures.tagging import answer
from edgener.progress import Track, untracked
from edgener_runtime.backends.base import Tuning
from edgener_runtime.bundle.manifest import Manifest
from edgener_runtime.decoding.entity import AS_TRAINED, Decoding, ScoreSettings
from edgener_runtime.pipeline import TokenClassifier

from .predictions import ScoredEntity, judged_entities
from .reliability import fitted
from .thresholds import LEVEL, Choice, Detection, choose_threshold, detection

VALID = "valid"
_DEVICE = "cpu"


@dataclass(frozen=True)
class LabelThreshold:
    """A label's threshold, and how its entities are found in each split without thresholds and with them."""

    choice: Choice
    before: dict[str, Detection]
    after: dict[str, Detection]


@dataclass(frozen=True)
class ScoreReport:
    """The settings that a precision demands of a variant, what they change in each split, and where they are from.

    `origin` says where the temperature is from, or why there is none.
    """

    variant: str
    precision: float
    settings: ScoreSettings
    origin: str
    labels: dict[str, LabelThreshold]
    data: dict[str, dict[str, Any]]

    def overall(self, split: str) -> tuple[Detection, Detection]:
        """The entities of all labels together, without thresholds and with them."""
        labels, none = self.labels.values(), Detection(0, 0, 0)
        return sum((each.before[split] for each in labels), none), sum((each.after[split] for each in labels), none)

    def record(self) -> dict[str, Any]:
        """What the provenance of the bundle says."""
        return {"variant": self.variant, "precision": self.precision, "level": LEVEL, "data": self.data[VALID]}


def find_settings(
    bundle: Path,
    classifier: TokenClassifier,
    splits: dict[str, Dataset],
    precision: float,
    aggregation: str = AS_TRAINED.aggregation,
    track: Track = untracked,
) -> ScoreReport:
    """The settings that the valid split gives a bundle, found with a loaded variant of it on the CPU.

    `splits` are the valid one and those on which the settings are measured as well.
    """
    valid = splits[VALID]
    temperature, origin = fitted(valid, answer(classifier, valid.sentences, track("temperature", len(valid.sentences))))
    settings = ScoreSettings(temperature or AS_TRAINED.temperature, aggregation=aggregation)
    found = _entities(bundle, replace(classifier.manifest, scores=settings), classifier, splits, track)
    labels = {
        label: _label_threshold(label, splits, found, choose_threshold(found[VALID], label, precision))
        for label in classifier.label_set.types
    }
    thresholds = {label: each.choice.threshold for label, each in labels.items() if each.choice.threshold}
    return ScoreReport(
        classifier.variant.name, precision, replace(settings, thresholds=thresholds), origin, labels,
        {name: asdict(data_record(split)) for name, split in splits.items()},
    )  # fmt: skip


def _entities(
    bundle: Path, manifest: Manifest, like: TokenClassifier, splits: dict[str, Dataset], track: Track
) -> dict[str, list[ScoredEntity]]:
    """The entities of each split by a manifest with other settings, with the same variant as another classifier."""
    found = {}
    with TokenClassifier(bundle, manifest, like.variant, _DEVICE, Tuning.of(like.tuning.threads)) as classifier:
        for name, split in splits.items():
            step = track(name, len(split.sentences))
            answers = []
            for entities in classifier.stream((sentence.text for sentence in split.sentences), Decoding(thresholds={})):
                answers.append(entities)
                step()
            found[name] = judged_entities(split.sentences, answers)
    return found


def _label_threshold(
    label: str, splits: dict[str, Dataset], found: dict[str, list[ScoredEntity]], choice: Choice
) -> LabelThreshold:
    before, after = (
        {name: detection(found[name], label, split.entity_counts[label], least) for name, split in splits.items()}
        for least in (0.0, choice.threshold or 0.0)
    )
    return LabelThreshold(choice, before, after)

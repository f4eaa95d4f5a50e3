"""Updates: a checkpoint learns new data beside a part of the old, and must not lose what it knew."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from random import Random

from edgener.checkpoint import Checkpoint, UpdateRecord, check_not_replaced, data_record, open_checkpoint, weight_files
from edgener.data.calibration import unseen
from edgener.data.documents import numbered_on
from edgener.data.read import check_labelled, check_labels
from edgener.data.reasons import IN_TEST_SET
from edgener.data.types import Dataset
from edgener.labels import LabelChoice
from edgener.parity.budgets import UPDATE_BUDGET, Budget, check_budgets
from edgener.parity.gate import EXIT_CODES, Verdict, explain, overall
from edgener.parity.reference import PyTorchModel, reference_answers
from edgener.parity.update import UpdateReport, judge_update
from edgener.progress import tracked
from edgener_runtime.base.files import sha256_of
from edgener_runtime.errors import ParityError, UserInputError

from .config import TrainConfig, given_settings, load_config, recorded_settings, refuse_settings
from .run import Continued, TrainResult, train

Splits = Mapping[str, Dataset]
_OF_THE_MODEL = ("model", "case_channel", "label_all_subwords")
_OF_THE_MACHINE = ("threads", "device", "precision")
_FIXES = {
    Verdict.FAIL: "Nothing was written. Replay more of the old data, or raise the budget: --resume with another "
    "--max-f1-drop judges the same training again.",
    Verdict.INCONCLUSIVE: "Nothing was written. Judge on more test text, or raise the budget: --resume judges the same "
    "training again.",
}


@dataclass(frozen=True)
class UpdateSpec:
    """The splits of the new data and of the old, the share of the old train split to replay, and the budgets.

    `labels` is what the user says of the checkpoint's labels.
    """

    new: Splits
    replay: Splits
    share: float = 0.5
    budgets: tuple[Budget, ...] = (UPDATE_BUDGET,)
    allow_new_labels: bool = False
    labels: LabelChoice | None = None


@dataclass(frozen=True)
class UpdateResult:
    """The reports of the old and the new test set, and the run; `checkpoint` is None where it was refused."""

    checkpoint: str | None
    new_labels: tuple[str, ...]
    verdict: Verdict
    old: UpdateReport
    new: UpdateReport
    training: TrainResult | None = None


class RefusedUpdateError(ParityError):
    """An update that fails or is inconclusive: no checkpoint was written; `result` has the figures."""

    def __init__(self, result: UpdateResult) -> None:
        reasons = [
            explain(f"{report.data}: the update", judgement)
            for report in (result.old, result.new)
            for judgement in report.judgements
            if judgement.verdict is result.verdict
        ]
        super().__init__("\n".join(reasons), _FIXES[result.verdict])
        self.result = result
        self.exit_code = EXIT_CODES[result.verdict]


def update(
    path: Path, out: Path, spec: UpdateSpec, config_file: Path | None = None, resume: bool = False
) -> UpdateResult:
    """Continue a checkpoint with new data and a share of the old, and write it to `out` where it passes the gate.

    Settings are those that the checkpoint records, and those of `config_file` above them. A refused or interrupted run
    stays in a folder beside `out` and continues with `resume`. Raises RefusedUpdateError, UserInputError, DeviceError.
    """
    check_not_replaced(path, out)
    checkpoint = open_checkpoint(path, spec.labels)
    run = _Update(checkpoint, spec, settings_of(checkpoint, config_file))
    trained = train(run.data, run.config, out, resume, Continued(checkpoint.label_set.tags, run.labels, run.accept))
    return run.result(out, trained)


def settings_of(checkpoint: Checkpoint, file: Path | None) -> TrainConfig:
    """The settings of a YAML file, those that the checkpoint records below them, then the defaults.

    Raises UserInputError for a setting that belongs to the checkpoint.
    """
    given = given_settings(file, {})
    refuse_settings(_OF_THE_MODEL, given, file, "an update")
    own = recorded_settings(checkpoint, {*_OF_THE_MACHINE, *given})
    return load_config(file, own | {"model": str(checkpoint.path)})


def apart_from_tests(new: Splits, old: Splits) -> tuple[Splits, Splits]:
    """The splits of both; sentences of a test split of either are left out of the other splits, and counted."""
    tests = [splits["test"] for splits in (new, old) if "test" in splits]
    rest = [
        {name: split if name == "test" else _apart(split, tests) for name, split in splits.items()}
        for splits in (new, old)
    ]
    return rest[0], rest[1]


def _apart(split: Dataset, tests: Sequence[Dataset]) -> Dataset:
    rest = split
    for test in tests:
        rest = unseen(rest, test)
    fewer = len(split.sentences) - len(rest.sentences)
    return dataclasses.replace(rest, repairs=split.repairs + Counter({IN_TEST_SET: fewer}))


class _Update:
    """One update: what it trains on and knows, and the gate at its end."""

    def __init__(self, checkpoint: Checkpoint, spec: UpdateSpec, config: TrainConfig) -> None:
        self.checkpoint, self.spec, self.config = checkpoint, spec, config
        new, old = apart_from_tests(spec.new, spec.replay)
        _check_splits("new", new)
        _check_splits("old", old)
        self.new_labels = _new_labels(spec, checkpoint.entity_labels)
        self.labels = tuple(sorted({*checkpoint.entity_labels, *self.new_labels}))
        check_budgets(spec.budgets, self.labels, has_gold=True, text="the test sets")
        replayed = {**old, "train": replay(old["train"], spec.share, config.seed)}
        self.parts = {"new": new, "old": replayed}
        self.data = _joined(new, replayed)
        self.reports: dict[str, UpdateReport] = {}

    def result(self, out: Path | None = None, training: TrainResult | None = None) -> UpdateResult:
        """The result, after `accept`."""
        verdict = overall([judgement for report in self.reports.values() for judgement in report.judgements])
        return UpdateResult(str(out) if out else None, self.new_labels, verdict, **self.reports, training=training)

    def accept(self, model: PyTorchModel) -> UpdateRecord:
        """Judge the trained model on both test sets. Raises RefusedUpdateError."""
        self.reports = self._compare(model)
        if (result := self.result()).verdict is not Verdict.PASS:
            raise RefusedUpdateError(result)
        return UpdateRecord(
            parent={file.name: sha256_of(file) for file in weight_files(self.checkpoint.path)},
            new_labels=self.new_labels,
            replay_share=self.spec.share,
            data={
                f"{role} {name}": data_record(part) for role, own in self.parts.items() for name, part in own.items()
            },
            gate={name: dataclasses.asdict(report) for name, report in self.reports.items()},
        )

    def _compare(self, model: PyTorchModel) -> dict[str, UpdateReport]:
        """The report of each test set; the old one is annotated with the labels of the checkpoint alone."""
        annotated = {"old": self.checkpoint.entity_labels, "new": self.labels}
        reports = {}
        with PyTorchModel.open(self.checkpoint) as before, tracked() as track:
            for role, labels in annotated.items():
                test = self.parts[role]["test"]
                step = track(f"{role} test set", 2 * len(test.sentences))
                old, new = (reference_answers(each, test.sentences, step) for each in (before, model))
                reports[role] = judge_update(test, old, new, labels, self.spec.budgets)
        return reports


def _check_splits(role: str, splits: Splits) -> None:
    for name in ("train", "test"):
        if name not in splits:
            raise UserInputError(
                f"the {role} data have no {name} split, only {', '.join(splits)}",
                "Name a folder with train, valid and test files, or split one file: --cut 80/10/10",
            )
    for name, split in splits.items():
        check_labelled(split)
        if name == "train" and not split.sentences:
            raise UserInputError(
                f"{split.source} has no sentence for training that no test set has", "Name other data."
            )
    if not splits["test"].labels:
        raise UserInputError(f"{splits['test'].source} (test) has no entities to judge on", "Name other data.")


def _new_labels(spec: UpdateSpec, known: tuple[str, ...]) -> tuple[str, ...]:
    """The new data's labels that the checkpoint does not know. Raises UserInputError where they are not allowed."""
    for split in spec.replay.values():
        check_labels(known, split)
    strange = tuple(label for label in spec.new["train"].labels if label not in known)
    if strange and not spec.allow_new_labels:
        source = spec.new["train"].source
        raise UserInputError(
            f"{source} has labels that the checkpoint does not know: {', '.join(strange)}; it knows {', '.join(known)}",
            f"Add them: --allow-new-labels. Or map each to a known one, or to O: --map-labels {strange[0]}={known[0]}",
        )
    for split in spec.new.values():
        check_labels((*known, *strange), split)
    return strange


def replay(train_split: Dataset, share: float, seed: int) -> Dataset:
    """A share of the sentences, at least one, drawn at random and in their order.

    Those between which one is missing are of different documents now, so that no window joins them.
    """
    count = len(train_split.sentences)
    chosen = sorted(Random(seed).sample(range(count), max(1, round(share * count))))  # noqa: S311 - not for secrets
    runs = groupby(enumerate(chosen), key=lambda place: place[1] - place[0])
    parts = ([train_split.sentences[number] for _, number in run] for _, run in runs)
    return dataclasses.replace(train_split, sentences=tuple(numbered_on(parts)))


def _joined(*sources: Splits) -> dict[str, Dataset]:
    """The train and valid splits of all sources, each as one."""
    found = {}
    for name in ("train", "valid"):
        if parts := [splits[name] for splits in sources if name in splits]:
            source = " + ".join(data_record(part).source for part in parts)
            sentences = tuple(numbered_on(part.sentences for part in parts))
            repairs = sum((part.repairs for part in parts), Counter[str]())
            found[name] = dataclasses.replace(parts[0], source=source, sentences=sentences, repairs=repairs)
    return found

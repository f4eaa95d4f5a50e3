"""The flow of a compression: shapes are measured, the promising ones pruned and trained, and the best one written."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from edgener.bundle.provenance import file_hashes
from edgener.checkpoint import (
    RECORD,
    Checkpoint,
    TrainingRecord,
    check_not_replaced,
    data_record,
    open_checkpoint,
    read_config,
)
from edgener.data.calibration import representative
from edgener.data.read import check_labelled, check_labels
from edgener.data.types import Dataset
from edgener.parity.measures.tagging import Answers
from edgener.parity.reference import PyTorchModel, reference_answers
from edgener.progress import Track, untracked
from edgener.train.config import TrainConfig
from edgener_exporters.architectures import find_architecture
from edgener_exporters.variants import Variant
from edgener_runtime.base.files import check_replaceable, staged_folder
from edgener_runtime.base.serde import load_json, to_json
from edgener_runtime.errors import UserInputError
from edgener_runtime.machine.cpu import isa

from .architectures import layer_names
from .candidates import ModelShape, shapes, worth_training
from .layers import LayerChoice, choose_layers
from .measure import MeasuredShapes, VariantRunner
from .prune import Pruner
from .recovery import identity_of
from .result import (
    AnswerFigures,
    CompressedModel,
    CompressionResult,
    Target,
    choose,
    meets_size_and_time,
    missed,
    pareto_front,
    record_of,
)
from .vocabulary import VocabularyFigures, cut_tokenizer, kept_ids, refusal, used_ids, vocabulary_figures
from .work import WorkFolder

RESULT = "compression.json"
SHARE = 300  # sentences of the valid split that layers are chosen on, and of train that show which neurons matter
Log = Callable[[str], None]
Train = Callable[[Mapping[str, Dataset], TrainConfig, Path, bool], Any]


@dataclass(frozen=True)
class CompressionSpec:
    """The splits train, valid and perhaps test, the variant that is measured, the target, and the training settings.

    The vocabulary is cut where the target has a size, to what train and `corpus` use, unless more than `max_unknown` of
    the subwords of the valid split would change.
    """

    splits: Mapping[str, Dataset]
    variant: Variant
    target: Target
    config: TrainConfig
    corpus: tuple[str, ...] = ()
    max_unknown: float = 0.05


def compress(
    path: Path, out: Path, spec: CompressionSpec, train: Train, log: Log = lambda line: None, track: Track = untracked
) -> CompressionResult:
    """Compress a checkpoint to a target, and write the candidate that meets it, or comes nearest, to `out`.

    An unfinished compression stays in a folder beside `out`, and the same call continues it. Raises UserInputError
    (architecture, checkpoint, data, another compression into `out`), ExportError where the variant cannot be built.
    """
    checkpoint = _checked(path, out, spec)
    work = WorkFolder(out.absolute().with_name(f"{out.name}.unfinished"), _identity(path, spec))
    with work.held():
        result, chosen = _Compression(checkpoint, spec, work, train, log, track).run()
        with staged_folder(out, RESULT) as staging:
            shutil.copytree(chosen, staging, dirs_exist_ok=True)
            _complete_record(staging, checkpoint, result)
            (staging / RESULT).write_text(to_json(result), encoding="utf-8")
        work.remove()
    return result


def _checked(path: Path, out: Path, spec: CompressionSpec) -> Checkpoint:
    """The checkpoint. Raises UserInputError where it or the data cannot be compressed with."""
    config = read_config(path)
    layer_names(config)
    architecture = find_architecture(config)
    if reason := architecture.refused.get(spec.variant.name):
        raise UserInputError(f"{spec.variant.name} cannot be built from {architecture.title}: {reason}")
    check_not_replaced(path, out)
    if path.resolve() in out.resolve().parents:  # the checkpoint may be the one to write, and would copy itself
        raise UserInputError(f"{out} is inside the checkpoint {path}", "Name another --out.")
    check_replaceable(out.absolute(), RESULT)
    checkpoint = open_checkpoint(path)
    _check_data(spec.splits, checkpoint)
    return checkpoint


def _check_data(splits: Mapping[str, Dataset], checkpoint: Checkpoint) -> None:
    if missing := [name for name in ("train", "valid") if name not in splits]:
        raise UserInputError(
            f"the data has no {missing[0]} split, only {', '.join(splits)}: candidates are trained on train and "
            "compared on valid",
            "Name a folder with train and valid files, or split one file: --cut 80/10/10",
        )
    for dataset in splits.values():
        check_labelled(dataset)
        check_labels(checkpoint.entity_labels, dataset)
    if lost := sorted(set(checkpoint.entity_labels) - set(splits["train"].labels)):
        raise UserInputError(
            f"the train split has no entity with the label {lost[0]}: a candidate would forget it",
            "Give the data that the checkpoint was trained on.",
        )
    if checkpoint.label_set.scheme != "IOB2":
        raise UserInputError(
            f"the checkpoint's labels are in {checkpoint.label_set.scheme}, candidates are trained in IOB2",
            "Train it anew with edgener train, then compress that.",
        )


def _identity(path: Path, spec: CompressionSpec) -> dict[str, Any]:
    """What the finished steps depend on; another target uses them again."""
    return {
        "checkpoint": file_hashes(path),
        "data set": {name: split.sha256 for name, split in spec.splits.items()},
        "corpus": hash_of(spec.corpus),
        "variant": spec.variant.name,
        "training setting": identity_of(spec.config),
    }


def hash_of(texts: Sequence[str]) -> str:
    """The SHA-256 of texts in order."""
    import hashlib

    return hashlib.sha256("\0".join(texts).encode(errors="surrogatepass")).hexdigest()


def _complete_record(folder: Path, checkpoint: Checkpoint, result: CompressionResult) -> None:
    """Write into the record of a trained candidate from what it was compressed, and how."""
    file = folder / RECORD
    if file.is_file():
        record = load_json(TrainingRecord, file)
        base = checkpoint.record.base_model if checkpoint.record else checkpoint.path.name
        file.write_text(
            to_json(dataclasses.replace(record, base_model=base, compression=record_of(result))), encoding="utf-8"
        )


class _Compression:
    """A compression in progress: its steps, each stored when it is done."""

    def __init__(
        self, checkpoint: Checkpoint, spec: CompressionSpec, work: WorkFolder, train: Train, log: Log, track: Track
    ) -> None:
        self.checkpoint, self.spec, self.work, self.train, self.log = checkpoint, spec, work, train, log
        self.notes: list[str] = []
        self.valid = spec.splits["valid"]
        split = spec.splits["train"]
        self.sampled = [each.text for each in representative(split.sentences, SHARE) if each.text.strip()]
        self.runner = VariantRunner(spec.variant, self.valid, self.sampled, work.folder, track)
        self.choices: dict[str, LayerChoice] = {}
        self.track = track

    def run(self) -> tuple[CompressionResult, Path]:
        """The result, and the folder of the chosen checkpoint."""
        found = shapes(self.pruner.full, len(self.pruner.vocabulary) or None)
        candidates = {shape: self._measured(shape, found) for shape in found}
        chosen = worth_training(found, lambda shape: meets_size_and_time(candidates[shape], self.spec.target))
        self._report_reach(candidates)
        folders = {shape: self._trained(shape) for shape in chosen}
        full, *_ = found
        for shape, folder in {full: self.checkpoint.path, **folders}.items():
            candidates[shape] = self._judged(candidates[shape], folder)
        best = choose([*candidates.values()], self.spec.target)
        folder = folders.get(best.shape, self.checkpoint.path)
        return self._result([*candidates.values()], best, self._tested(best, folder)), folder

    def _result(
        self, candidates: list[CompressedModel], best: CompressedModel, test: AnswerFigures | None
    ) -> CompressionResult:
        return CompressionResult(
            self.checkpoint.path.name,
            {name: data_record(split) for name, split in self.spec.splits.items()},
            self.spec.variant.name, isa(), self.spec.target, tuple(candidates), pareto_front(candidates), best.name,
            missed(best, self.spec.target), self.choices, self.vocabulary_figures, test, tuple(self.notes),
        )  # fmt: skip

    @cached_property
    def pruner(self) -> Pruner:
        """The pruner, with the ids of the vocabulary that stay; none where it is not cut."""
        whole = Pruner(self.checkpoint, self.sampled, ())
        self.vocabulary_figures: VocabularyFigures | None = None
        if self.spec.target.mb is None:
            return whole
        if reason := refusal(whole.tokenizer):
            self._note(f"the vocabulary stays: {reason}")
            return whole
        return self._with_cut_vocabulary(whole)

    def _with_cut_vocabulary(self, whole: Pruner) -> Pruner:
        texts = [sentence.text for sentence in self.spec.splits["train"].sentences]
        kept = kept_ids(whole.tokenizer, used_ids(whole.tokenizer, [*texts, *self.spec.corpus]))
        cut = cut_tokenizer(whole.tokenizer, kept)
        held_out = [sentence.text for sentence in self.valid.sentences]
        self.vocabulary_figures = figures = vocabulary_figures(whole.tokenizer, cut, kept, "valid", held_out)
        if figures.changed <= self.spec.max_unknown:
            return dataclasses.replace(whole, vocabulary=kept)
        self._note(
            f"the vocabulary stays: cut to {figures.after:,} subwords, {figures.changed:.2%} of the subwords of valid "
            f"would change, the budget is {self.spec.max_unknown:.2%} (--max-unknown); more text to keep the subwords "
            "of: --corpus"
        )
        return whole

    def _note(self, line: str) -> None:
        self.notes.append(line)
        self.log(line)

    def _measured(self, shape: ModelShape, found: Sequence[ModelShape]) -> CompressedModel:
        """A shape with its size and speed; all are measured together, before any is trained."""
        full = found[0]
        measured = self.work.record(f"shapes-{found[-1].vocabulary}", MeasuredShapes, partial(self._time, found))
        own = measured.shapes[shape.name(full)]
        return CompressedModel(shape.name(full), shape, own.size, own.speed)

    def _time(self, found: Sequence[ModelShape]) -> MeasuredShapes:
        self.log(f"measuring the size and speed of {len(found)} shapes as {self.spec.variant.name}")
        with TemporaryDirectory(dir=self.work.folder) as scratch:
            folders = {shape.name(found[0]): Path(scratch) / str(number) for number, shape in enumerate(found)}
            for shape in found:
                self.pruner.write(shape, range(shape.layers), folders[shape.name(found[0])], weighed=False)
            return self.runner.time(folders)

    def _report_reach(self, candidates: Mapping[ModelShape, CompressedModel]) -> None:
        """Say early that a target is out of reach: training takes long."""
        if not any(meets_size_and_time(each, self.spec.target) for each in candidates.values()):
            least = list(candidates.values())[-1]
            self.log(f"no shape reaches the target; the smallest, {least.name}: {least.ms:.2f} ms, {least.mb:.1f} MB")

    def _trained(self, shape: ModelShape) -> Path:
        """The folder of a shape's trained checkpoint."""
        name = shape.name(self.pruner.full)
        slug = name.replace(",", "").replace(" ", "-")
        final = self.work.folder / f"trained-{slug}"
        if not (final / RECORD).is_file():
            kept = self._kept_layers(shape.layers)
            start = self.work.checkpoint(f"pruned-{slug}", "config.json", partial(self.pruner.write, shape, kept))
            self.log(f"training {name}")
            splits = {split: self.spec.splits[split] for split in ("train", "valid")}
            self.train(splits, dataclasses.replace(self.spec.config, model=str(start)), final, True)
        self._kept_layers(shape.layers)
        return final

    def _kept_layers(self, count: int) -> tuple[int, ...]:
        every = self.pruner.full.layers
        if count == every:
            return tuple(range(every))
        sentences = representative(self.valid.sentences, SHARE)
        score = partial(self.pruner.f1_with_layers, sentences)
        choice = self.work.record(f"layers-{count}", LayerChoice, lambda: self._chosen_layers(count, score))
        self.choices[str(count)] = choice
        return choice.kept

    def _chosen_layers(self, count: int, score: Callable[[tuple[int, ...]], float]) -> LayerChoice:
        choice = choose_layers(self.pruner.full.layers, count, score)
        kept = ", ".join(str(number + 1) for number in choice.kept)
        self.log(
            f"layers {kept} stay: F1 {choice.f1:.4f} before training; {choice.tried} ways were tried, the worst had "
            f"{choice.lowest:.4f}"
        )
        return choice

    @cached_property
    def reference(self) -> Answers:
        """The checkpoint's answers to the valid split in PyTorch."""
        return self._reference(self.valid)

    def _reference(self, dataset: Dataset) -> Answers:
        with PyTorchModel.open(self.checkpoint) as model:
            return reference_answers(model, dataset.sentences, self.track("PyTorch", len(dataset.sentences)))

    def _judged(self, candidate: CompressedModel, folder: Path) -> CompressedModel:
        slug = candidate.name.replace(",", "").replace(" ", "-")
        answers = self.work.record(
            f"valid-{slug}", AnswerFigures, lambda: self.runner.judge(folder, self.valid, self.reference)
        )
        self.log(f"{candidate.name}: F1 {answers.f1:.4f} on valid, {candidate.ms:.2f} ms, {candidate.mb:.1f} MB")
        own = folder != self.checkpoint.path
        before = load_json(TrainingRecord, folder / RECORD).scores["before"] if own else None
        return dataclasses.replace(candidate, answers=answers, f1_before=before)

    def _tested(self, best: CompressedModel, folder: Path) -> AnswerFigures | None:
        """The chosen candidate's figures on the test split, which nothing was chosen by."""
        test = self.spec.splits.get("test")
        return self.runner.judge(folder, test, self._reference(test)) if test else None

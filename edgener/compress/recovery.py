"""How a pruned candidate is trained again: as the checkpoint was, with the checkpoint as the teacher."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from edgener.checkpoint import Checkpoint
from edgener.train.config import TrainConfig, given_settings, load_config, recorded_settings, refuse_settings

_OF_THE_MODEL = ("model", "case_channel")
# Settings of the machine, or of the encoder that training started from
_NOT_TAKEN = {"threads", "device", "precision", "tensorboard", "freeze", "freeze_layers", "lora_rank", *_OF_THE_MODEL}
_OF_THE_MACHINE = ("threads", "device", "tensorboard")


def recovery_settings(checkpoint: Checkpoint, file: Path | None, given: dict[str, Any]) -> TrainConfig:
    """The settings of the checkpoint's own training, below those of a YAML file and of options.

    Raises UserInputError where a setting does not fit, or belongs to the checkpoint.
    """
    asked = given_settings(file, given)
    refuse_settings(_OF_THE_MODEL, asked, file, "a compression")
    own = recorded_settings(checkpoint, _NOT_TAKEN | asked) | {"case_channel": checkpoint.case_channel}
    teacher = {} if "teacher" in asked else {"teacher": (str(checkpoint.path),)}
    return load_config(file, own | teacher | given)


def identity_of(config: TrainConfig) -> dict[str, Any]:
    """The settings that the weights depend on."""
    return {name: value for name, value in dataclasses.asdict(config).items() if name not in _OF_THE_MACHINE}

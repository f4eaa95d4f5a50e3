"""The mean of the weights of the last epochs (arXiv:1803.05407), for a run that keeps a checkpoint of each."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FEWEST = 2


@dataclass(frozen=True)
class Averaging:
    """The epochs whose weights were averaged, entity F1 on valid of their mean and of the best epoch, and whether the
    mean was taken: where it is not lower."""

    epochs: tuple[int, ...]
    mean_f1: float
    best_f1: float
    taken: bool


def average_epochs(trainer: Any, count: int) -> Averaging | None:
    """Give a trainer's model, which has the weights of the best epoch, the mean of the last `count` epochs' weights.

    The best epoch's come back where the mean has a lower F1. None, and no change, where there was one epoch only.
    """
    folders = sorted(Path(trainer.args.output_dir).glob("checkpoint-*"), key=_step)[-count:]
    if len(folders) < FEWEST:
        return None
    best, best_f1 = _weights(trainer.model), trainer.state.best_metric
    _set_weights(trainer.model, _mean(trainer, folders))
    mean_f1 = trainer.predict(trainer.eval_dataset).metrics["test_f1"]
    if mean_f1 < best_f1:
        _set_weights(trainer.model, best)
    return Averaging(tuple(map(_epoch, folders)), mean_f1, best_f1, mean_f1 >= best_f1)


def _mean(trainer: Any, folders: list[Path]) -> dict[str, Any]:
    """The mean of the weights of checkpoints; the model is left with those of the last."""
    total: dict[str, Any] = {}
    for folder in folders:
        trainer._load_from_checkpoint(str(folder))
        for name, weights in _weights(trainer.model).items():
            total[name] = total[name].add_(weights) if name in total else weights.double()
    return {name: weights / len(folders) for name, weights in total.items()}


def _weights(model: Any) -> dict[str, Any]:
    """A copy of the weights that are trained."""
    return {name: parameter.detach().clone() for name, parameter in model.named_parameters() if parameter.requires_grad}


def _set_weights(model: Any, weights: dict[str, Any]) -> None:
    for name, parameter in model.named_parameters():
        if name in weights:
            parameter.data.copy_(weights[name])


def _step(folder: Path) -> int:
    return int(folder.name.removeprefix("checkpoint-"))


def _epoch(folder: Path) -> int:
    epoch: float = json.loads((folder / "trainer_state.json").read_text(encoding="utf-8"))["epoch"]
    return round(epoch)

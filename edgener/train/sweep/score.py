"""The score of a trial: training without a checkpoint, ended early where earlier trials were better."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import torch
from optuna import TrialPruned
from transformers import TrainerCallback

from edgener.data.types import Dataset
from edgener.train.config import TrainConfig
from edgener.train.run import valid_scores

if TYPE_CHECKING:
    from optuna import Trial

PARTS = 4  # of a schedule, at which trials are compared


def score_on_valid(splits: Mapping[str, Dataset], config: TrainConfig, trial: Trial | None) -> float:
    """The best entity F1 of the epochs on the valid split.

    Raises optuna.TrialPruned where the trial ends early, or the device's memory is too small for its settings.
    """
    callbacks = [PruningCallback(trial)] if trial else []
    try:
        with TemporaryDirectory() as work:
            epochs = valid_scores(splits, config, Path(work), callbacks)
    except torch.OutOfMemoryError:
        raise TrialPruned("out of memory") from None
    return max(epoch["valid_f1"] for epoch in epochs)


class PruningCallback(TrainerCallback):  # type: ignore[misc]
    """Reports the validation F1 at quarters of a schedule, and raises optuna.TrialPruned where the trial is to end.

    Epochs of schedules of different lengths do not compare: at the third of three epochs the learning rate has fallen,
    at the third of ten it has not.
    """

    def __init__(self, trial: Trial) -> None:
        self.trial, self.reported = trial, 0

    def on_evaluate(
        self, args: Any, state: Any, control: Any, metrics: dict[str, float] | None = None, **kwargs: Any
    ) -> None:
        """Report, and end the trial where the pruner says so."""
        part = int(PARTS * state.epoch / args.num_train_epochs + 1e-6)
        if not metrics or part <= self.reported:
            return
        self.reported = part
        self.trial.report(metrics["eval_f1"], part)
        if part < PARTS and self.trial.should_prune():
            raise TrialPruned(f"after {part} of {PARTS} parts of its schedule")

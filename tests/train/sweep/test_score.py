"""The score of a trial: real training of the tiny encoder, and pruning."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("optuna", reason="the extra sweep is not installed")

import optuna
import torch

from edgener.data.types import Dataset
from edgener.train.config import TrainConfig, load_config
from edgener.train.run import TrainResult, train
from edgener.train.sweep import score as score_module
from edgener.train.sweep.result import best_settings
from edgener.train.sweep.run import SweepSpec, sweep
from edgener.train.sweep.score import score_on_valid
from edgener.train.sweep.study import file_url

Quick = Callable[..., TrainConfig]
Few = dict[str, Dataset]


class Watched:
    """A trial that is pruned after some reports."""

    def __init__(self, limit: int) -> None:
        self.limit, self.reports = limit, dict[int, float]()

    def report(self, value: float, step: int) -> None:
        self.reports[step] = value

    def should_prune(self) -> bool:
        return len(self.reports) >= self.limit


def splits(few: Few) -> Few:
    return {name: few[name] for name in ("train", "valid")}


def test_it_reports_each_quarter_of_the_schedule(finished: tuple[Path, TrainResult], few: Few, quick: Quick) -> None:
    trial = Watched(9)
    best = score_on_valid(splits(few), quick(epochs=4, threads=1), trial)  # type: ignore[arg-type]
    f1 = [epoch["valid_f1"] for epoch in finished[1].epochs]
    assert list(trial.reports.values()) == f1 and list(trial.reports) == [1, 2, 3, 4] and best == max(f1)


def test_a_schedule_of_two_epochs_reports_its_half_and_its_end_and_may_be_pruned(few: Few, quick: Quick) -> None:
    trial = Watched(1)
    with pytest.raises(optuna.TrialPruned, match="after 2 of 4 parts"):
        score_on_valid(splits(few), quick(epochs=2), trial)  # type: ignore[arg-type]
    assert list(trial.reports) == [2]


def test_settings_that_need_too_much_memory_end_their_trial_only(
    few: Few, quick: Quick, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(score_module, "valid_scores", full)
    with pytest.raises(optuna.TrialPruned, match="out of memory"):
        score_on_valid(splits(few), quick(), None)


def test_train_reproduces_a_trial_from_its_yaml(few: Few, quick: Quick, tmp_path: Path) -> None:
    fixed = ("model", "precision", "device", "case_channel", "epochs")
    spec = SweepSpec(few, quick(threads=1), fixed, file_url(tmp_path / "study.db"), "edgener", 2, 1)
    result = sweep(spec, score_on_valid)
    (tmp_path / "best.yaml").write_text(best_settings(result), encoding="utf-8")
    again = train(few, load_config(tmp_path / "best.yaml", {"threads": 1}), tmp_path / "checkpoint")
    assert max(epoch["valid_f1"] for epoch in again.epochs) == result.best.f1["0"]

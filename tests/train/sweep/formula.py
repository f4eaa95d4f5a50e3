"""Sweeps of a formula: the score depends on settings and seed, and takes no time. As a program: one that is killed.

python formula.py FOLDER MOMENTS SECONDS: a sweep in a folder whose process gets SIGKILL in those of its trainings, with
so many seconds for each.
"""

from __future__ import annotations

import math
import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgener.data.types import Dataset, Sentence, Span
from edgener.train.config import TrainConfig
from edgener.train.sweep.run import SweepSpec, sweep
from edgener.train.sweep.study import file_url

TRIALS, SEEDS = 12, 2
SENTENCE = Sentence("Pump leaks", ((0, 4), (5, 10)), (Span("PART", 0, 1),))
SPLITS = {name: Dataset(f"there/{name}.txt", name, (SENTENCE,), "conll") for name in ("train", "valid")}
START = TrainConfig(model="some/model", learning_rate=1e-3, threads=1)


def score(splits: Mapping[str, Dataset], config: TrainConfig, trial: Any) -> float:
    """A score with its optimum at a learning rate of 5e-4 and 8 epochs; trials report it at two moments."""
    from optuna import TrialPruned

    assert config.learning_rate and set(splits) == {"train", "valid"}
    away = abs(math.log(config.learning_rate / 5e-4)) + abs(math.log(config.epochs / 8))
    found = 0.9 - 0.1 * away + 0.001 * config.seed + 0.01 * (config.dropout or 0)
    if trial:
        for step in (2, 4):
            trial.report(found * step / 4, step)
            if step == 2 and trial.should_prune():
                raise TrialPruned
    return found


def make_spec(folder: Path, **changes: Any) -> SweepSpec:
    """A sweep of two sentences."""
    settings = {
        "splits": SPLITS, "start": START, "fixed": ("model", "threads"), "storage": file_url(folder / "study.db"),
        "study": "edgener", "trials": TRIALS, "seeds": SEEDS,
    }  # fmt: skip
    return SweepSpec(**(settings | changes))


def main(folder: Path, moments: set[int], seconds: float) -> None:
    """A sweep that dies."""
    count = 0

    def killed(splits: Mapping[str, Dataset], config: TrainConfig, trial: Any) -> float:
        nonlocal count
        count += 1
        time.sleep(seconds)
        if count in moments:
            os.kill(os.getpid(), signal.SIGKILL)
        return score(splits, config, trial)

    result = sweep(make_spec(folder), killed)
    sys.stdout.write(f"{count} {result.chosen}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), {int(moment) for moment in sys.argv[2].split(",") if moment}, float(sys.argv[3]))

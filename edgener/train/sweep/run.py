"""A sweep: trials on the valid split, the best of them repeated over seeds, and the result; it can be interrupted."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgener.checkpoint import data_record
from edgener.data.types import Dataset
from edgener.encoding import load_tokenizer
from edgener.pretrained import resolve_model
from edgener.threads import limit_pytorch
from edgener.train.config import TrainConfig
from edgener_runtime.errors import DeviceError, UserInputError

from .jobs import SharedJobs
from .result import FEWEST_FOR_IMPORTANCES, Finalist, SweepResult, SweepTrial, choose, settings_text
from .space import search_space
from .study import database_errors, job_of, open_study

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.trial import FrozenTrial

FINALISTS = 3  # the best trials, beside the start
_UNPRUNED = 5  # complete trials before the first is pruned
_OF_THE_MACHINE = ("threads", "device", "tensorboard")  # settings that a study may have otherwise on each machine
_THREADS = "threads"

Log = Callable[[str], None]
Score = Callable[[Mapping[str, Dataset], TrainConfig, "Trial | None"], float]
"""Trains on the splits with settings and returns the best entity F1 on valid; a trial may be pruned."""


@dataclass(frozen=True)
class SweepSpec:
    """Data with train and valid splits, where to start, which settings the user fixed, and how much to try.

    `storage` is an SQLAlchemy URL; `study` names the study in it.
    """

    splits: Mapping[str, Dataset]
    start: TrainConfig
    fixed: Collection[str]
    storage: str
    study: str
    trials: int
    seeds: int


def sweep(spec: SweepSpec, score: Score, log: Log = lambda line: None) -> SweepResult:
    """Search hyper-parameters by entity F1 on the valid split; the test split is not used.

    Runs what the study does not have yet, together with other processes that have the same study.
    Raises UserInputError (data, settings, another study), StorageError (a locked study), DeviceError.
    """
    data = _train_and_valid(spec.splits)
    with database_errors(spec.storage):
        return _Sweep(spec, data, score, log).run()


def _train_and_valid(splits: Mapping[str, Dataset]) -> dict[str, Dataset]:
    """The two splits that are read."""
    if missing := [name for name in ("train", "valid") if name not in splits]:
        raise UserInputError(
            f"the data has no {missing[0]} split, only {', '.join(splits)}: a sweep chooses on valid",
            "Name a folder with train and valid files, or split one file: --cut 80/10/10",
        )
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UserInputError(
            "a sweep does not run under torchrun", "Start the same command several times, with one --storage."
        )
    return {name: splits[name] for name in ("train", "valid")}


class _Sweep:
    """The two studies of a sweep: its trials, and its finalists by seed."""

    def __init__(self, spec: SweepSpec, data: dict[str, Dataset], score: Score, log: Log) -> None:
        from optuna.pruners import MedianPruner, NopPruner

        self.spec, self.data, self.score, self.log = spec, data, score, log
        self.space = search_space(_with_rate(spec.start), spec.fixed)
        identity = self._identity()
        pruner = MedianPruner(n_startup_trials=_UNPRUNED)
        self.study = open_study(spec.storage, spec.study, identity, pruner)
        self.finals = open_study(spec.storage, f"{spec.study}-finalists", identity, NopPruner())
        self.threads = self._shared_threads()

    def run(self) -> SweepResult:
        jobs = {str(number): self.space.start() if number == 0 else {} for number in range(self.spec.trials)}
        found = SharedJobs(self.study, jobs, self._try, self._waits).run()
        trials = tuple(_sweep_trial(int(job), trial) for job, trial in found.items())
        finalists = self._finalists(trials)
        return SweepResult(
            {name: data_record(split) for name, split in self.data.items()},
            self.space.described(), self._fixed(), trials, _importances(self.study, trials), finalists,
            choose(finalists),
        )  # fmt: skip

    def _identity(self) -> dict[str, Any]:
        """What two processes must agree on to share a study."""
        data = {name: f"{data_record(split).source} {split.sha256[:12]}" for name, split in self.data.items()}
        given = {name: str(value) for name, value in dataclasses.asdict(self.space.base).items()}
        searched = self.space.described()
        settings = {name: value for name, value in given.items() if name not in (*searched, *_OF_THE_MACHINE)}
        return {"data set": data, "search space": searched, "fixed setting": settings}

    def _fixed(self) -> dict[str, Any]:
        return {name: getattr(self.spec.start, name) for name in dataclasses.asdict(self.spec.start)
                if name in self.spec.fixed}  # fmt: skip

    def _shared_threads(self) -> int:
        """The threads of the first process of a study: the last digits of the weights depend on them."""
        known = self.spec.start.threads or self.study.user_attrs.get(_THREADS)
        threads = int(known or limit_pytorch(None))
        if _THREADS not in self.study.user_attrs:
            self.study.set_user_attr(_THREADS, threads)
        return threads

    def _try(self, trial: Trial) -> float:
        settings = self.space.suggest(trial)
        self.log(f"trial {job_of(trial)} of {self.spec.trials}: {settings_text(settings)}")
        f1 = self._trained(self.space.config(settings, self.spec.start.seed), trial)
        self.log(f"trial {job_of(trial)}: valid F1 {f1:.4f}")
        return f1

    def _finalists(self, trials: tuple[SweepTrial, ...]) -> tuple[Finalist, ...]:
        """The best trials and the start, each with every seed; the search had the first seed."""
        complete = [trial for trial in trials if trial.state == "complete" and trial.f1 is not None]
        if not complete:
            raise DeviceError(
                f"none of {len(trials)} trials fits into the memory of the device", "Fix a smaller one: --batch-size 4"
            )
        best = sorted(complete, key=lambda trial: (-(trial.f1 or 0.0), trial.number))[:FINALISTS]
        chosen = {trial.number: trial for trial in (*best, *complete[:1])}
        first = self.spec.start.seed
        seeds = range(first + 1, first + self.spec.seeds)
        jobs: dict[str, dict[str, Any]] = {f"{number} {seed}": {} for seed in seeds for number in chosen}
        done = SharedJobs(self.finals, jobs, lambda trial: self._repeat(trial, chosen), self._waits).run()
        return tuple(
            Finalist(
                number, trial.settings,
                {str(first): trial.f1 or 0.0} | {str(seed): done[f"{number} {seed}"].value or 0.0 for seed in seeds},
            )
            for number, trial in sorted(chosen.items())
        )  # fmt: skip

    def _repeat(self, trial: Trial, chosen: Mapping[int, SweepTrial]) -> float:
        number, seed = map(int, job_of(trial).split())
        f1 = self._trained(self.space.config(chosen[number].settings, seed), None)
        self.log(f"trial {number} with seed {seed}: valid F1 {f1:.4f}")
        return f1

    def _trained(self, config: TrainConfig, trial: Trial | None) -> float:
        return self.score(self.data, dataclasses.replace(config, threads=self.threads), trial)

    def _waits(self, count: int) -> None:
        self.log(f"waiting for {count} trials of other processes")


def _with_rate(start: TrainConfig) -> TrainConfig:
    """The start with the learning rate for the encoder's width, around which is searched."""
    from transformers import AutoConfig

    from edgener.train.model import default_rate

    if start.learning_rate is not None:
        return start
    source = resolve_model(start.model)
    load_tokenizer(source)  # has the message for what is not a model
    return dataclasses.replace(start, learning_rate=default_rate(AutoConfig.from_pretrained(source)))


def _sweep_trial(number: int, trial: FrozenTrial) -> SweepTrial:
    scores = [*trial.intermediate_values.values(), *([trial.value] if trial.value is not None else [])]
    return SweepTrial(number, trial.state.name.lower(), max(scores, default=None), dict(trial.params))


def _importances(study: Study, trials: tuple[SweepTrial, ...]) -> dict[str, float]:
    """How much of the F1's variation each setting explains (PED-ANOVA), the largest first."""
    import warnings

    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

    complete = [trial for trial in trials if trial.state == "complete"]
    if len(complete) < FEWEST_FOR_IMPORTANCES or len({trial.f1 for trial in complete}) == 1:
        return {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = get_param_importances(study, evaluator=PedAnovaImportanceEvaluator())
    return {name: round(float(share), 4) for name, share in found.items()}

"""The result of a sweep: its trials, importances and finalists, and the best settings as YAML for `edgener train`."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edgener.checkpoint import DataRecord

SCHEMA_VERSION = 1
FEWEST_FOR_IMPORTANCES = 10  # complete trials


@dataclass(frozen=True)
class SweepTrial:
    """The settings of a trial, and its best entity F1 on the valid split; None where it did not fit into memory.

    `state` is complete or pruned: the median of the earlier trials was better at the same share of the schedule.
    """

    number: int
    state: str
    f1: float | None
    settings: dict[str, Any]


@dataclass(frozen=True)
class Finalist:
    """A trial that was repeated: its F1 on the valid split by seed."""

    number: int
    settings: dict[str, Any]
    f1: dict[str, float]

    @property
    def mean(self) -> float:
        """The mean F1 of the seeds."""
        return statistics.fmean(self.f1.values())

    @property
    def spread(self) -> float:
        """The standard deviation over the seeds; 0 for one."""
        return statistics.stdev(self.f1.values()) if len(self.f1) > 1 else 0.0


@dataclass(frozen=True)
class SweepResult:
    """What was searched, on which data, and what was found; trial 0 has the settings that the sweep started from.

    `fixed` are the settings that the user gave; `importances` (shares of 1) are empty where there are too few trials.
    """

    data: dict[str, DataRecord]
    space: dict[str, str]
    fixed: dict[str, Any]
    trials: tuple[SweepTrial, ...]
    importances: dict[str, float]
    finalists: tuple[Finalist, ...]
    chosen: int
    schema_version: int = SCHEMA_VERSION

    @property
    def best(self) -> Finalist:
        """The finalist with the best mean F1."""
        return self.finalist(self.chosen)

    def finalist(self, number: int) -> Finalist:
        """The finalist of a trial's number."""
        return next(each for each in self.finalists if each.number == number)


def choose(finalists: tuple[Finalist, ...]) -> int:
    """The number of the finalist with the best mean; of equal ones the earliest."""
    return max(finalists, key=lambda each: (each.mean, -each.number)).number


def verdict(result: SweepResult) -> str:
    """The sentence that compares the best settings with those of the start, seed by seed."""
    best, start = result.best, result.finalist(0)
    if best.number == 0:
        return "No trial beats the settings that the sweep started from (trial 0): keep them."
    gains = [best.f1[seed] - start.f1[seed] for seed in best.f1]
    gain = f"trial {best.number} has {statistics.fmean(gains):+.4f} F1 on valid against trial 0"
    if len(gains) == 1:
        return f"{gain[0].upper()}{gain[1:]}, with one seed: the spread between seeds is not known."
    error = statistics.stdev(gains) / math.sqrt(len(gains))
    sure = "more than" if min(gains) > 0 and statistics.fmean(gains) > 2 * error else "not clearly more than"
    return (
        f"{gain[0].upper()}{gain[1:]} (standard error {error:.4f} over {len(gains)} seeds), {sure} what a seed changes."
    )


def best_settings(result: SweepResult) -> str:
    """The best settings as a YAML file for `edgener train --config`."""
    import yaml

    data = result.data["train"]
    head = (
        f"# edgener sweep: trial {result.chosen} of {len(result.trials)} on {data.source}, chosen on its valid split\n"
        f"# mean entity F1 {result.best.mean:.4f} over {len(result.best.f1)} seeds\n"
    )
    return head + yaml.safe_dump(result.fixed | result.best.settings, sort_keys=False, allow_unicode=True)


def settings_text(settings: Mapping[str, Any]) -> str:
    """Settings in one line."""
    return ", ".join(f"{name} {value_text(value)}" for name, value in settings.items())


def value_text(value: Any) -> str:
    """A setting's value in few characters."""
    if isinstance(value, float):
        return f"{value:.3g}"
    return "the encoder's" if value is None else str(value)

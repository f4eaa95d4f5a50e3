"""The learning curve of a data set: F1 by the number of labelled sentences, and what more of them would bring."""

from __future__ import annotations

import dataclasses
import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgener.checkpoint import weight_files
from edgener.data.types import Dataset
from edgener.parity.bootstrap import Estimate
from edgener_runtime.base.files import sha256_of, write_atomic
from edgener_runtime.errors import UserInputError

from .config import TrainConfig

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

SMALLEST, SEEDS = 25, 3
FEWEST_SIZES = 4  # a power law with a floor has three parameters
AHEAD = (2, 4)  # times the sentences there are
_RESAMPLES, _EXPONENTS = 1000, (0.05, 2.0, 79)
SCHEMA_VERSION = 1

Score = Callable[[Mapping[str, Dataset], TrainConfig], float]
Runs = dict[int, list[float]]
"""The F1 of each seed, by the number of sentences."""


@dataclass(frozen=True)
class CurvePoint:
    """Entity F1 on the valid split by seed for a number of sentences; None of both fits where there are too few sizes.

    `fit` is the value of the fitted curve with its 95 % interval over resamples of the runs.
    """

    sentences: int
    f1: tuple[float, ...]
    fit: Estimate | None


@dataclass(frozen=True)
class LearningCurve:
    """Measured points, the extrapolation, and the check: the fit without the largest size, at the largest size."""

    points: tuple[CurvePoint, ...]
    ahead: tuple[CurvePoint, ...]
    check: Estimate | None
    schema_version: int = SCHEMA_VERSION


def sizes_of(count: int) -> list[int]:
    """25, 50, 100 ... sentences, without the last before `count` where it is close, and `count`."""
    doubled = [SMALLEST << step for step in range(count.bit_length())]
    return [*(size for size in doubled if size * 1.4 < count), count]


def measure_runs(
    splits: Mapping[str, Dataset], config: TrainConfig, notes: Path, resume: bool, score: Score,
    log: Callable[[str], None],
) -> Runs:  # fmt: skip
    """Train on parts of the train split with several seeds; of the whole split all but the first seed.

    Finished runs are noted in the file `notes`; with `resume` those of the same settings and data are not repeated.
    A part of a seed holds the smaller ones of it. Raises UserInputError.
    """
    if "valid" not in splits:
        raise UserInputError(
            f"the data has no valid split, only {', '.join(splits)}: a learning curve is scored on valid",
            "Name a folder with train and valid files, or split one file: --cut 80/10/10",
        )
    if config.documents:
        raise UserInputError(
            "--learning-curve trains on sentences drawn at random, so there are no windows for --documents",
            "Leave one of the two out.",
        )
    inputs = [splits["train"].sha256, splits["valid"].sha256, *map(sha256_of, _files_of(config))]
    done = _Notes(notes, [dataclasses.asdict(config), *inputs], resume)
    sentences = splits["train"].sentences
    sizes, runs = sizes_of(len(sentences)), {}
    for size in sizes:
        seeds = range(config.seed + (size == len(sentences)), config.seed + SEEDS)
        runs[size] = [
            done.once(f"{size} {seed}", lambda: score(_part(splits, size, seed), _seeded(config, seed)), log)  # noqa: B023
            for seed in seeds
        ]
    return runs


def _part(splits: Mapping[str, Dataset], size: int, seed: int) -> dict[str, Dataset]:
    whole = splits["train"]
    order = random.Random(seed).sample(range(len(whole.sentences)), len(whole.sentences))  # noqa: S311 - repeatable
    part = dataclasses.replace(whole, sentences=tuple(whole.sentences[number] for number in order[:size]))
    return {"train": part if size < len(order) else whole, "valid": splits["valid"]}


def _files_of(config: TrainConfig) -> list[Path]:
    """The files that settings name and all runs learn from: weights of teachers, and unlabelled texts."""
    further = [Path(config.unlabelled)] if config.unlabelled else []
    return [*chain.from_iterable(weight_files(Path(path)) for path in config.teacher), *filter(Path.is_file, further)]


def _seeded(config: TrainConfig, seed: int) -> TrainConfig:
    return dataclasses.replace(config, seed=seed)


class _Notes:
    """A file of finished runs, which stays until the curve is written."""

    def __init__(self, file: Path, settings: list[Any], resume: bool) -> None:
        self.file, self.settings = file, json.loads(json.dumps(settings))
        self.runs: dict[str, float] = {}
        if not file.exists():
            return
        if not resume:
            raise UserInputError(
                f"there is an unfinished learning curve: {file}", "Continue with --resume, or remove it."
            )
        try:
            found = json.loads(file.read_text(encoding="utf-8"))
            same, self.runs = found["settings"] == self.settings, dict(found["runs"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserInputError(f"{file} is damaged: {error}", "Remove it, and begin again.") from None
        if not same:
            raise UserInputError(
                f"the learning curve of {file} has other settings or data", "Repeat them, or remove it."
            )

    def once(self, name: str, run: Callable[[], float], log: Callable[[str], None]) -> float:
        """The noted score of a run, or that of running it."""
        if name not in self.runs:
            score = run()
            self.runs[name] = score
            write_atomic(self.file, json.dumps({"settings": self.settings, "runs": self.runs}))
            size, seed = name.split()
            log(f"learning curve: {size} sentences, seed {seed}: valid F1 {score:.4f}")
        return self.runs[name]


def learning_curve(runs: Runs) -> LearningCurve:
    """The curve of runs, extrapolated by a power law of the error, 1 - F1 = floor + factor * sentences ** -exponent."""
    sizes = sorted(runs)
    ahead = [sizes[-1] * factor for factor in AHEAD]
    if len(sizes) < FEWEST_SIZES:
        return LearningCurve(tuple(CurvePoint(size, tuple(runs[size]), None) for size in sizes), (), None)
    fits = _fits(runs, [*sizes, *ahead])
    points = tuple(CurvePoint(size, tuple(runs[size]), fit) for size, fit in zip(sizes, fits, strict=False))
    further = tuple(CurvePoint(size, (), fit) for size, fit in zip(ahead, fits[len(sizes) :], strict=True))
    smaller = {size: runs[size] for size in sizes[:-1]}
    check = _fits(smaller, [sizes[-1]])[0] if len(smaller) >= FEWEST_SIZES else None
    return LearningCurve(points, further, check)


def _fits(runs: Runs, at: list[int]) -> list[Estimate]:
    """The fitted F1 at some sizes, with its interval over resamples of the runs of each size."""
    import numpy as np

    generator = np.random.default_rng(1)
    sizes = np.array(sorted(runs), dtype=float)
    errors = [1 - np.array(runs[int(size)]) for size in sizes]
    means = np.array([found.mean() for found in errors])
    resampled = np.stack([generator.choice(found, (_RESAMPLES, len(found))).mean(axis=1) for found in errors], axis=1)
    values = 1 - _power_law(sizes, np.vstack([means, resampled]), np.array(at, dtype=float))
    low, high = np.percentile(values[1:], (2.5, 97.5), axis=0)
    return [Estimate(*(round(float(each), 4) for each in found)) for found in zip(values[0], low, high, strict=True)]


def _power_law(sizes: Floats, errors: Floats, at: Floats) -> Floats:
    """The least-squares power law of each row of errors (rows, sizes) at some sizes (rows, at).

    The floor is 0 or more, and more sentences never make it worse.
    """
    import numpy as np

    best = np.full(len(errors), np.inf)
    values = np.zeros((len(errors), len(at)))
    for exponent in np.linspace(*_EXPONENTS):
        slope = sizes**-exponent
        spread = slope - slope.mean()
        factor = np.maximum(0, (errors @ spread) / (spread @ spread))
        floor = errors.mean(axis=1) - factor * slope.mean()
        through_zero = (errors @ slope) / (slope @ slope)
        factor, floor = np.where(floor < 0, through_zero, factor), np.maximum(floor, 0)
        loss = ((errors - floor[:, None] - factor[:, None] * slope) ** 2).sum(axis=1)
        better = loss < best - 1e-15
        best = np.where(better, loss, best)
        values[better] = (floor[:, None] + factor[:, None] * at**-exponent)[better]
    return values


def conclusion(curve: LearningCurve) -> list[str]:
    """Whether labelling more is worth it, in sentences."""
    now = curve.points[-1].fit
    if not (curve.ahead and now):
        return [
            f"{len(curve.points)} sizes are too few to extrapolate: that needs {FEWEST_SIZES}, "
            f"from about {SMALLEST << FEWEST_SIZES - 1} sentences on."
        ]
    lines = []
    for point in curve.ahead:
        if fit := point.fit:
            gains = f"{fit.value - now.value:+.4f}"
            lines.append(
                f"With {point.sentences:,} sentences: F1 {fit.value:.4f} ({fit.low:.4f} to {fit.high:.4f}), {gains}."
            )
    if curve.check:
        held, last = curve.check, curve.points[-1]
        mean = sum(last.f1) / len(last.f1)
        lines.append(
            f"Check: without the runs of {last.sentences:,} sentences the fit expects {held.value:.4f} there "
            f"({held.low:.4f} to {held.high:.4f}); measured {mean:.4f}."
        )
    return lines

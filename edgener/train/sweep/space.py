"""The table of hyper-parameters that a sweep tries: each row is a setting of `edgener train`."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgener.train.config import TrainConfig
from edgener_runtime.errors import UserInputError

if TYPE_CHECKING:
    from optuna import Trial


@dataclass(frozen=True)
class Dimension:
    """A setting and its values: some `choices`, or `multiples` of its default (from, to), searched by logarithm."""

    name: str
    choices: tuple[Any, ...] = ()
    multiples: tuple[float, float] = (1.0, 1.0)


SPACE = (
    Dimension("learning_rate", multiples=(0.25, 4.0)),
    Dimension("epochs", multiples=(0.6, 2.0)),
    Dimension("batch_size", (8, 16, 32)),
    Dimension("weight_decay", (0.0, 0.01, 0.1)),
    Dimension("warmup", (0.0, 0.1, 0.2)),
    Dimension("dropout", (None, 0.0, 0.2)),
    Dimension("schedule", ("linear", "cosine")),
)
"""What a sweep tries. A further setting is a further row."""


@dataclass(frozen=True)
class SearchSpace:
    """The dimensions around a start, `base`, whose learning rate is a number."""

    base: TrainConfig
    dimensions: tuple[Dimension, ...]

    def start(self) -> dict[str, Any]:
        """The searched settings of the base, the first trial."""
        return {each.name: getattr(self.base, each.name) for each in self.dimensions}

    def described(self) -> dict[str, str]:
        """The values of each dimension, for people and to compare studies."""
        return {each.name: self._text(each) for each in self.dimensions}

    def suggest(self, trial: Trial) -> dict[str, Any]:
        """Settings of a trial."""
        return {each.name: self._suggested(each, trial) for each in self.dimensions}

    def config(self, settings: dict[str, Any], seed: int) -> TrainConfig:
        """The base with the settings of a trial and a seed."""
        return dataclasses.replace(self.base, **settings, seed=seed)

    def _suggested(self, dimension: Dimension, trial: Trial) -> Any:
        if dimension.choices:
            return trial.suggest_categorical(dimension.name, self._choices(dimension))
        low, high = self._bounds(dimension)
        if isinstance(low, int):
            return trial.suggest_int(dimension.name, low, high, log=True)
        return trial.suggest_float(dimension.name, low, high, log=True)

    def _choices(self, dimension: Dimension) -> tuple[Any, ...]:
        """With the base's own value, which the first trial has."""
        return tuple(dict.fromkeys((*dimension.choices, getattr(self.base, dimension.name))))

    def _bounds(self, dimension: Dimension) -> tuple[Any, Any]:
        value = getattr(self.base, dimension.name)
        low, high = (value * factor for factor in dimension.multiples)
        return (max(1, round(low)), round(high)) if isinstance(value, int) else (low, high)

    def _text(self, dimension: Dimension) -> str:
        if dimension.choices:
            return ", ".join("the encoder's" if value is None else str(value) for value in self._choices(dimension))
        low, high = self._bounds(dimension)
        return f"{low:.6g} to {high:.6g}, by logarithm"


def search_space(base: TrainConfig, fixed: Collection[str]) -> SearchSpace:
    """The table without the settings that the user has fixed. Raises UserInputError where none is left."""
    dimensions = tuple(each for each in SPACE if each.name not in fixed)
    if not dimensions:
        raise UserInputError(
            f"nothing is left to search: {', '.join(each.name for each in SPACE)} are all given",
            "Leave one of them out of the options or the settings file.",
        )
    return SearchSpace(base, dimensions)

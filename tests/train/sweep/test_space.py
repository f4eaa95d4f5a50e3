"""The table of searched settings."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from edgener.settings import read_value
from edgener.train.config import TrainConfig
from edgener.train.sweep.space import SPACE, Dimension, search_space

BASE = TrainConfig(learning_rate=2e-4)


class Recorder:
    """As much of a trial as a suggestion needs; it takes the first or the last value."""

    def __init__(self, last: bool) -> None:
        self.last = last

    def suggest_categorical(self, name: str, choices: tuple[Any, ...]) -> Any:
        return choices[-1 if self.last else 0]

    def suggest_float(self, name: str, low: float, high: float, log: bool) -> float:
        return high if self.last else low

    def suggest_int(self, name: str, low: int, high: int, log: bool) -> int:
        assert 1 <= low <= high
        return high if self.last else low


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("dimension", SPACE, ids=lambda row: row.name)
def test_the_values_of_a_row_are_those_that_training_takes(dimension: Dimension, last: bool) -> None:
    assert bool(dimension.choices) != (dimension.multiples != (1.0, 1.0))
    value = search_space(BASE, ()).suggest(Recorder(last))[dimension.name]  # type: ignore[arg-type]
    assert read_value(TrainConfig, dimension.name, value) == value


def test_fixed_settings_are_not_searched() -> None:
    space = search_space(BASE, ("epochs", "seed"))
    assert "epochs" not in space.start() and "learning_rate" in space.start()


def test_the_start_is_within_the_space() -> None:
    base = dataclasses.replace(BASE, batch_size=5, epochs=1)
    space = search_space(base, ())
    assert space.described()["batch_size"] == "8, 16, 32, 5"
    assert space.described()["epochs"] == "1 to 2, by logarithm"
    assert space.config(space.start(), 0) == base
    assert space.described()["dropout"] == "the encoder's, 0.0, 0.2"

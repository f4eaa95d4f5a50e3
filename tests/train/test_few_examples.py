"""Settings for few training sentences."""

from __future__ import annotations

import pytest

from edgener.train.config import TrainConfig
from edgener.train.few_examples import BATCH_SIZE, FEW, MOST_EPOCHS, STEPS, for_few_examples


def test_the_defaults_hold_from_the_limit_on() -> None:
    assert for_few_examples(TrainConfig(), (), FEW) == TrainConfig()
    assert for_few_examples(TrainConfig(), (), FEW - 1) != TrainConfig()


@pytest.mark.parametrize("sentences", [1, 10, 25, 50, 100, 199])
def test_there_are_enough_steps_and_no_early_stop(sentences: int) -> None:
    found = for_few_examples(TrainConfig(), (), sentences)
    steps = found.epochs * -(-sentences // found.batch_size)
    assert steps >= STEPS or found.epochs == MOST_EPOCHS
    assert found.patience == found.epochs >= TrainConfig().epochs
    assert found.batch_size == BATCH_SIZE


def test_settings_of_the_user_stay_and_the_others_fit_them() -> None:
    given = {"batch_size": 16, "epochs": 4, "patience": 2}
    assert for_few_examples(TrainConfig(**given), given, 50) == TrainConfig(**given)
    whole = for_few_examples(TrainConfig(batch_size=8), {"batch_size"}, 100)
    assert whole.batch_size == 8 and whole.epochs * 13 >= STEPS
    assert for_few_examples(TrainConfig(epochs=4), {"epochs"}, 50).patience == 4
    assert for_few_examples(TrainConfig(accumulation=2), {"accumulation"}, 100).epochs == 2 * STEPS * BATCH_SIZE // 100

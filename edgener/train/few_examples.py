"""Settings for few training sentences, with which the defaults make too few steps to learn anything."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import fields, replace
from typing import Any

from .config import TrainConfig

FEW = 200
"""Sentences of the train split from which on the defaults hold."""
# Chosen on the valid split of builtin:factory with a 2-layer encoder and two seeds. F1 of 100 sentences: .538, .582 and
# .577 after 200, 300 and 600 steps. Batches of 8 were as good at equal steps. The mean of 25 and 100 sentences was no
# better with half or twice the learning rate.
STEPS, BATCH_SIZE = 300, 4
MOST_EPOCHS = 60


def for_few_examples(config: TrainConfig, given: Collection[str], sentences: int) -> TrainConfig:
    """The settings for a number of training sentences; those in `given`, which the user chose, stay.

    Below FEW sentences: small batches and enough epochs for STEPS updates, without an early stop, as the first epochs
    find no entity. The best epoch on valid is written anyway. benchmarks/few_examples.py has the comparison.
    """
    if sentences >= FEW:
        return config
    batch_size = config.batch_size if "batch_size" in given else BATCH_SIZE
    epochs = min(MOST_EPOCHS, -(-STEPS * batch_size * config.accumulation // sentences))
    chosen: dict[str, Any] = {"batch_size": batch_size, "epochs": max(epochs, config.epochs)}
    chosen |= {"patience": config.epochs if "epochs" in given else chosen["epochs"]}
    return replace(config, **{name: value for name, value in chosen.items() if name not in given})


def changed_settings(before: TrainConfig, after: TrainConfig) -> dict[str, Any]:
    """The settings of `after` that are not those of `before`."""
    return {
        each.name: getattr(after, each.name)
        for each in fields(after)
        if getattr(after, each.name) != getattr(before, each.name)
    }

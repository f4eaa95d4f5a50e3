"""Settings for few training sentences, with which the defaults make too few steps to learn anything."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from .config import TrainConfig

FEW = 200
"""Sentences of the train split from which on the defaults hold."""
STEPS, BATCH_SIZE = 300, 4
MOST_EPOCHS = 60


def for_few_examples(config: TrainConfig, given: Collection[str], sentences: int) -> TrainConfig:
    """The settings for a number of training sentences; those in `given`, which the user chose, stay.

    Below FEW sentences: small batches and enough epochs for STEPS updates, all of them (the best on valid is written
    anyway). Measured by benchmarks/few_examples.py.
    """
    if sentences >= FEW:
        return config
    batch_size = config.batch_size if "batch_size" in given else BATCH_SIZE
    epochs = min(MOST_EPOCHS, -(-STEPS * batch_size * config.accumulation // sentences))
    chosen = {"batch_size": batch_size, "epochs": max(epochs, config.epochs)}
    chosen |= {"patience": config.epochs if "epochs" in given else chosen["epochs"]}
    return replace(config, **{name: value for name, value in chosen.items() if name not in given})

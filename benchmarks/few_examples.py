"""Entity F1 with few training sentences: the defaults of `edgener train` and the settings that it chooses for few.

    python benchmarks/few_examples.py --model package:cognition/model --out factory-cognition.json

Each of three seeds draws the training sentences, and half as many for the valid split that chooses the epoch. Scores
are of the test split, or with --judge valid of the rest of the valid split, by which settings may be chosen.
"""

from __future__ import annotations

import dataclasses
import json
import random
import tempfile
from pathlib import Path
from typing import Any

import click

from edgener.data.read import DataSpec, read_splits
from edgener.data.types import Dataset
from edgener.train.config import TrainConfig
from edgener.train.few_examples import for_few_examples
from edgener.train.run import train

SIZES, SEEDS, JUDGED = (25, 50, 100), (0, 1, 2), 600
SHOWN = ("learning_rate", "epochs", "batch_size", "patience")


def drawn(whole: Dataset, numbers: list[int]) -> Dataset:
    """The sentences with these numbers."""
    return dataclasses.replace(whole, sentences=tuple(whole.sentences[number] for number in numbers))


def splits_of(data: dict[str, Dataset], size: int, seed: int, judge: str) -> dict[str, Dataset]:
    """The few sentences of a seed, as train and valid, and what they are scored on, as test."""
    generator = random.Random(seed)
    train, valid = (
        generator.sample(range(len(each.sentences)), len(each.sentences)) for each in (data["train"], data["valid"])
    )
    rest = valid[size // 2 :] if judge == "valid" else list(range(len(data["test"].sentences)))
    few = {"train": drawn(data["train"], train[:size]), "valid": drawn(data["valid"], valid[: size // 2])}
    return few | {"test": drawn(data[judge], rest[:JUDGED])}


def f1_of(splits: dict[str, Dataset], config: TrainConfig) -> float:
    """Entity F1 after training."""
    with tempfile.TemporaryDirectory() as work:
        return round(train(splits, config, Path(work) / "checkpoint").after.micro.f1, 4)


def measure(data: dict[str, Dataset], size: int, base: TrainConfig, judge: str) -> dict[str, Any]:
    """Both settings and the F1 of each by seed."""
    row: dict[str, Any] = {"sentences": size}
    for name, config in (("defaults", base), ("chosen", for_few_examples(base, (), size))):
        runs = ((splits_of(data, size, seed, judge), dataclasses.replace(config, seed=seed)) for seed in SEEDS)
        row[name] = {each: getattr(config, each) for each in SHOWN} | {"f1": [f1_of(*run) for run in runs]}
        click.echo(f"{size} sentences, {name}: {row[name]}")
    return row


@click.command()
@click.option("--data", default="builtin:factory", show_default=True)
@click.option("--model", required=True)
@click.option("--judge", type=click.Choice(["valid", "test"]), default="test", show_default=True)
@click.option("--out", type=click.Path(path_type=Path), required=True)
def main(data: str, model: str, judge: str, out: Path) -> None:
    """Measure both settings at each size."""
    splits = read_splits(DataSpec(data))
    base = TrainConfig(model=model, case_channel=True, device="cpu", threads=1)
    rows = [measure(splits, size, base, judge) for size in SIZES]
    result = {"data": Path(data).name, "model": model, "judged_on": judge, "rows": rows}
    out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

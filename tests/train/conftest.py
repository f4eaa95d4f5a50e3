"""A tiny encoder with random weights, a few sentences, and one finished run over them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgener.data.read import DataSpec, read_splits
from edgener.data.types import Dataset, Sentence
from edgener.train.config import TrainConfig
from edgener.train.run import TrainResult, train

SIZES = {"train": 64, "valid": 24, "test": 24}


@pytest.fixture(scope="session")
def tiny(make_model: Callable[[str], Path]) -> Path:
    """The folder of an uncased 2-layer BERT, 32 wide, with random weights and a head for other labels."""
    return make_model("bert-uncased")


@pytest.fixture(scope="session")
def few_folder(small_factory: dict[str, Dataset], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with some of the factory's sentences as JSON Lines; every sixth of a split is long."""
    folder = tmp_path_factory.mktemp("few") / "data"
    folder.mkdir()
    for split, count in SIZES.items():
        lines = [as_record(sentence) for sentence in small_factory[split].sentences[: 2 * count]]
        records = [joined(lines[i : i + 8]) if i % 6 == 0 else lines[i] for i in range(count)]
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    return folder


def as_record(sentence: Sentence) -> dict[str, Any]:
    entities = [
        {"start": sentence.offsets[span.start][0], "end": sentence.offsets[span.end - 1][1], "label": span.label}
        for span in sentence.spans
    ]
    return {"text": sentence.text, "entities": entities}


def joined(records: list[dict[str, Any]]) -> dict[str, Any]:
    text, entities = "", []
    for record in records:
        shift = len(text)
        entities += [
            {**entity, "start": entity["start"] + shift, "end": entity["end"] + shift} for entity in record["entities"]
        ]
        text += record["text"] + " "
    return {"text": text, "entities": entities}


@pytest.fixture(scope="session")
def few(few_folder: Path) -> dict[str, Dataset]:
    """Those sentences, read."""
    return read_splits(DataSpec(str(few_folder)))


@pytest.fixture(scope="session")
def quick(tiny: Path) -> Callable[..., TrainConfig]:
    """Settings that train the tiny encoder in a second; any can be overridden."""

    def make(**changes: Any) -> TrainConfig:
        settings = {"model": str(tiny), "epochs": 2, "batch_size": 16, "learning_rate": 0.01, "precision": "fp32"}
        return TrainConfig(**(settings | {"device": "cpu", "case_channel": True} | changes))

    return make


@pytest.fixture(scope="session")
def finished(
    quick: Callable[..., TrainConfig], few: dict[str, Dataset], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, TrainResult]:
    """The checkpoint of an uninterrupted run of four epochs, and what the run gave. Not to be changed."""
    out = tmp_path_factory.mktemp("finished") / "checkpoint"
    return out, train(few, quick(epochs=4), out)


@pytest.fixture(scope="session")
def weights() -> Callable[[Path], dict[str, Any]]:
    """`weights(folder)` are a model's tensors by name."""
    from safetensors.torch import load_file

    return lambda folder: dict(load_file(folder / "model.safetensors"))

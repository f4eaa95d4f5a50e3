"""A tiny encoder with random weights, a few sentences, and one finished run over them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edgener.data.read import DataSpec, read_splits
from edgener.data.types import Dataset
from edgener.train import trainer as trainer_module
from edgener.train.config import TrainConfig
from edgener.train.run import TrainResult, train

SIZES = {"train": 64, "valid": 24, "test": 24}


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """More threads make so small a model slower, and sums come in another order."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def tiny(make_model: Callable[[str], Path]) -> Path:
    """The folder of an uncased 2-layer BERT, 32 wide, with random weights and a head for other labels."""
    return make_model("bert-uncased")


@pytest.fixture(scope="session")
def few_folder(small_factory: dict[str, Dataset], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with some of the factory's texts as JSON Lines, labelled so that a tiny model learns it in seconds.

    Names begin with a capital, numbers with a digit. Every sixth text is long.
    """
    folder = tmp_path_factory.mktemp("few") / "data"
    folder.mkdir()
    for split, count in SIZES.items():
        texts = [sentence.text for sentence in small_factory[split].sentences[: count + 8]]
        lines = [json.dumps(record(" ".join(texts[i : i + 8]) if i % 6 == 0 else texts[i])) for i in range(count)]
        (folder / f"{split}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return folder


def record(text: str) -> dict[str, Any]:
    kinds = (("NAME", r"[A-Z]\w*(?: [A-Z]\w*)*"), ("NUMBER", r"(?<!\w)\d+"))
    entities = [
        {"start": match.start(), "end": match.end(), "label": label}
        for label, pattern in kinds
        for match in re.finditer(pattern, text)
    ]
    return {"text": text, "entities": entities}


@pytest.fixture(scope="session")
def few(few_folder: Path) -> dict[str, Dataset]:
    """Those sentences, read."""
    return read_splits(DataSpec(str(few_folder)))


@pytest.fixture(scope="session")
def quick(tiny: Path) -> Callable[..., TrainConfig]:
    """Settings that train the tiny encoder in a second; any can be overridden."""

    def make(**changes: Any) -> TrainConfig:
        settings = {"model": str(tiny), "epochs": 2, "batch_size": 4, "learning_rate": 0.01, "precision": "fp32"}
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


@pytest.fixture(scope="session")
def make_teacher(make_model: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """`make_teacher("roberta", "O B-NAME ...")`: a model of `make_model` with a random head for these labels."""
    from transformers import AutoModelForTokenClassification, AutoTokenizer, set_seed

    made: dict[str, Path] = {}

    def make(kind: str, labels: str, seed: int = 1) -> Path:
        if kind not in made:
            made[kind] = make_model(kind)
        source = made[kind]
        names = dict(enumerate(labels.split()))
        set_seed(seed)
        model = AutoModelForTokenClassification.from_pretrained(
            source, num_labels=len(names), id2label=names, label2id={name: number for number, name in names.items()},
            ignore_mismatched_sizes=True,
        )  # fmt: skip
        model.classifier.weight.data.normal_(std=0.5)
        for number, name in names.items():
            model.classifier.bias.data[number] = -9.0 if name.startswith("I-") else 0.0  # no sign of IOB1
        folder = tmp_path_factory.mktemp("teacher") / "checkpoint"
        model.save_pretrained(folder)
        AutoTokenizer.from_pretrained(source).save_pretrained(folder)
        return folder

    return make


@pytest.fixture
def planted(monkeypatch: pytest.MonkeyPatch) -> Callable[[list[float]], list[float]]:
    """`planted(scores)` makes validation return these F1 scores by epoch; the returned list gets the true ones."""

    def script(scores: list[float]) -> list[float]:
        true: list[float] = []
        honest = trainer_module._entity_metrics

        def scripted(*arguments: Any) -> Callable[[Any], dict[str, float]]:
            compute, remaining = honest(*arguments), iter(scores)

            def score(evaluated: Any) -> dict[str, float]:
                true.append(compute(evaluated)["f1"])
                return {"f1": next(remaining)}

            return score

        monkeypatch.setattr(trainer_module, "_entity_metrics", scripted)
        return true

    return script

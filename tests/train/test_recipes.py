"""Settings of a recipe: windows of documents in the training text, layer-wise rates, the mean of epochs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from transformers import AlbertConfig, AlbertForTokenClassification

from edgener.data.types import Dataset
from edgener.report.scores import evaluate
from edgener.train import averaging as averaging_module
from edgener.train import run as run_module
from edgener.train.averaging import Averaging
from edgener.train.config import TrainConfig
from edgener.train.features import IGNORED
from edgener.train.layer_rates import rate_factors, set_rates
from edgener.train.learning_curve import measure_runs
from edgener.train.model import load_model
from edgener.train.run import train
from edgener_runtime.errors import UserInputError

from .test_resume import run_killed

pytestmark = pytest.mark.compat

Quick = Callable[..., TrainConfig]
Few = dict[str, Dataset]


def in_documents(dataset: Dataset, size: int) -> Dataset:
    """The data set with a document every `size` sentences."""
    numbered = (replace(each, document=1 + at // size) for at, each in enumerate(dataset.sentences))
    return replace(dataset, sentences=tuple(numbered))


# --- documents


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The rows that the next run trains on."""
    found: list[dict[str, Any]] = []
    honest = run_module.build_trainer

    def watched(*arguments: Any, **named: Any) -> Any:
        found.extend(arguments[5].rows)
        return honest(*arguments, **named)

    monkeypatch.setattr(run_module, "build_trainer", watched)
    return found


def labels(rows: Sequence[dict[str, Any]]) -> list[int]:
    return sorted(label for row in rows for label in row["labels"] if label != IGNORED)


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_windows_of_documents_are_fewer_longer_rows_with_every_word_labelled_once(
    few: Few, quick: Quick, rows: list[dict[str, Any]], tmp_path: Path, share: float
) -> None:
    data = {"train": in_documents(few["train"], 8), "valid": few["valid"]}
    train(data, quick(epochs=1), tmp_path / "sentences")
    alone = rows.copy()
    rows.clear()
    train(data, quick(epochs=1, documents=share), tmp_path / "windows")
    assert len(rows) < len(alone)
    assert labels(rows) == labels(alone)
    lengths = [sum(len(row["input_ids"]) for row in each) / len(each) for each in (rows, alone)]
    assert lengths[0] > lengths[1] and max(len(row["input_ids"]) for row in rows) <= 66  # the longest of the model


def test_without_documents_the_option_is_refused(few: Few, quick: Quick, tmp_path: Path) -> None:
    for dataset in (few["train"], in_documents(few["train"], 1)):
        with pytest.raises(UserInputError, match="marks no document of two sentences that fit a window") as caught:
            train({**few, "train": dataset}, quick(documents=0.5), tmp_path / "out")
        assert "-DOCSTART-" in str(caught.value.hint) and "set documents to 0" in str(caught.value.hint)
    assert not (tmp_path / "out").exists()


def test_a_learning_curve_has_no_windows(few: Few, quick: Quick, tmp_path: Path) -> None:
    data = {name: in_documents(split, 8) for name, split in few.items()}
    with pytest.raises(UserInputError, match="no windows for --documents"):
        measure_runs(data, quick(documents=0.5), tmp_path / "notes", False, lambda *_: 0.0, print)


# --- layer-wise learning rates


@pytest.mark.parametrize("lora_rank", [0, 4])
def test_each_layer_has_a_share_of_the_rate_of_the_one_above(tiny: Path, quick: Quick, lora_rank: int) -> None:
    config = quick(layer_decay=0.5, lora_rank=lora_rank)
    model = load_model(str(tiny), ("O", "B-A", "I-A"), config)
    trained = {name: each for name, each in model.named_parameters() if each.requires_grad}
    optimizer = torch.optim.AdamW([{"params": list(trained.values()), "weight_decay": 0.25}], lr=9)
    set_rates(optimizer, 0.8, rate_factors(model, config))
    rates = {id(each): group["lr"] for group in optimizer.param_groups for each in group["params"]}
    expected = {"classifier": 0.8, "token_type": 0.8, "layer.1.": 0.4, "layer.0.": 0.2, "embeddings.": 0.1}
    assert len(trained) > 4
    for name, each in trained.items():
        assert rates.pop(id(each)) == pytest.approx(next(rate for part, rate in expected.items() if part in name))
    assert not rates and {group["weight_decay"] for group in optimizer.param_groups} == {0.25}


def test_lower_layers_move_less(
    few: Few, quick: Quick, tiny: Path, weights: Callable[[Path], dict[str, Any]], tmp_path: Path
) -> None:
    train({"train": few["train"]}, quick(epochs=1, layer_decay=1e-3, weight_decay=0.0), tmp_path / "out")
    old, new = weights(tiny), weights(tmp_path / "out")
    names = ("layer.1.output.dense.weight", "layer.0.output.dense.weight", "word_embeddings.weight")
    moved = [next(float((new[name] - old[name]).abs().max()) for name in old if part in name) for part in names]
    assert moved[0] > 10 * moved[1] > 100 * moved[2]
    whole = next(name for name in new if "token_type_embeddings" in name)
    assert float((new[whole] - old[whole][0]).abs().max()) > 10 * moved[0]


def test_an_encoder_whose_layers_are_not_known_has_one_rate(quick: Quick) -> None:
    model = AlbertForTokenClassification(AlbertConfig(hidden_size=16, num_attention_heads=2, intermediate_size=16))
    with pytest.raises(UserInputError, match="the layers of albert are not known"):
        rate_factors(model, quick(layer_decay=0.9, case_channel=False))
    assert rate_factors(model, quick(case_channel=False)) == {}


# --- the mean of epochs


@pytest.mark.parametrize(("mean_f1", "taken"), [(0.9, True), (0.95, True), (0.89, False)])
def test_the_mean_of_the_last_epochs_is_taken_where_it_is_not_lower(
    few: Few, quick: Quick, planted: Callable[[list[float]], list[float]], weights: Callable[[Path], dict[str, Any]],
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mean_f1: float, taken: bool,
) -> None:  # fmt: skip
    kept: list[dict[str, Any]] = []
    honest = averaging_module._mean

    def watched(trainer: Any, folders: list[Path]) -> dict[str, Any]:
        kept.extend(weights(folder) for folder in folders)
        return honest(trainer, folders)

    monkeypatch.setattr(averaging_module, "_mean", watched)
    true = planted([0.9, 0.2, 0.3, 0.4, mean_f1])
    data = {"train": few["train"], "valid": few["valid"]}
    result = train(data, quick(epochs=4, average_epochs=3, patience=4), tmp_path / "out")
    assert result.averaging == Averaging((2, 3, 4), mean_f1, 0.9, taken)
    assert result.after.micro.f1 == true[4 if taken else 0]
    found = weights(tmp_path / "out")
    assert not any(torch.equal(found["classifier.weight"], each["classifier.weight"]) for each in kept)
    mean = {name: torch.stack([each[name].double() for each in kept]).mean(0) for name in found}
    assert all(torch.allclose(found[name].double(), mean[name], atol=1e-7) for name in found) == taken
    record = json.loads((tmp_path / "out" / "edgener.json").read_text())
    assert record["scores"]["averaging"] == {
        "epochs": [2, 3, 4], "mean_f1": mean_f1, "best_f1": 0.9, "taken": taken,
    }  # fmt: skip


def test_adapters_are_averaged_too(few: Few, quick: Quick, tmp_path: Path) -> None:
    result = train(few, quick(epochs=3, lora_rank=4, learning_rate=0.02, average_epochs=2), tmp_path / "out")
    assert result.averaging and result.averaging.epochs == (2, 3)
    best = max(row["valid_f1"] for row in result.epochs)
    assert result.averaging.best_f1 == best
    assert evaluate(tmp_path / "out", few["test"]).entities == result.after


def test_one_epoch_has_no_mean(few: Few, quick: Quick, tmp_path: Path) -> None:
    assert train(few, quick(epochs=1, average_epochs=3), tmp_path / "out").averaging is None


def test_without_a_valid_split_no_mean_is_taken(few: Few, quick: Quick, tmp_path: Path) -> None:
    with pytest.raises(UserInputError, match="compares weights on the valid split; the data has only train"):
        train({"train": few["train"]}, quick(average_epochs=2), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_killed_run_with_all_of_them_gives_the_weights_of_one_that_was_not(
    few_folder: Path, few: Few, quick: Quick, weights: Callable[[Path], dict[str, Any]], tmp_path: Path
) -> None:
    config = quick(epochs=4, average_epochs=3, layer_decay=0.8, patience=4, threads=1)
    run_killed("in the third epoch", few_folder, config, tmp_path / "killed")
    resumed = train(few, config, tmp_path / "killed", resume=True)
    whole = train(few, config, tmp_path / "whole")
    assert resumed.averaging == whole.averaging and whole.averaging and whole.averaging.epochs == (2, 3, 4)
    expected, found = weights(tmp_path / "whole"), weights(tmp_path / "killed")
    assert {name for name in expected if not expected[name].equal(found[name])} == set()


def test_the_mean_is_whole_where_an_encoder_s_files_have_old_names(
    few: Few, quick: Quick, tiny: Path, weights: Callable[[Path], dict[str, Any]], tmp_path: Path
) -> None:
    old = {
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): tensor
        for name, tensor in weights(tiny).items()
    }
    shutil.copytree(tiny, tmp_path / "old")
    save_file(old, tmp_path / "old" / "model.safetensors", {"format": "pt"})
    both = [
        train(few, quick(model=str(model), epochs=3, average_epochs=2), tmp_path / name)
        for name, model in (("one", tiny), ("two", tmp_path / "old"))
    ]
    assert both[0].averaging == both[1].averaging and both[0].averaging
    assert both[0].after == both[1].after and both[0].epochs == both[1].epochs

"""From data to checkpoint."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from edgener.checkpoint import open_checkpoint
from edgener.data.types import Dataset, Span
from edgener.parity.reference import PyTorchModel
from edgener.report.scores import evaluate
from edgener.train.config import TrainConfig
from edgener.train.run import TrainResult, train
from edgener_runtime.errors import UserInputError

pytestmark = pytest.mark.compat

Quick = Callable[..., TrainConfig]
Few = dict[str, Dataset]
Weights = Callable[[Path], dict[str, Any]]


def equal(some: dict[str, Any], others: dict[str, Any]) -> set[str]:
    """The names of the tensors that are the same bits on both sides."""
    return {name for name, tensor in some.items() if name in others and tensor.equal(others[name])}


# --- the checkpoint


def test_a_checkpoint_stands_alone_and_opens(finished: tuple[Path, TrainResult], few: Few) -> None:
    out, result = finished
    assert [path.name for path in out.parent.iterdir()] == ["checkpoint"]
    checkpoint = open_checkpoint(out)
    assert checkpoint.entity_labels == few["train"].labels
    assert checkpoint.labels[0] == "O"
    assert checkpoint.max_length == 66
    assert json.loads((out / "config.json").read_text())["type_vocab_size"] == 4
    assert result.checkpoint == str(out)


def test_the_record_is_complete(finished: tuple[Path, TrainResult], few: Few, quick: Quick, tiny: Path) -> None:
    out, result = finished
    record = open_checkpoint(out).record
    assert record is not None
    assert record.base_model == tiny.name
    assert record.case_channel and not record.label_all_subwords
    assert {name: data.sha256 for name, data in record.data.items()} == {n: split.sha256 for n, split in few.items()}
    assert record.data["train"].sentences == 64 and record.data["train"].source == "train.jsonl"
    kept = {field.name for field in fields(TrainConfig)} - {"model", "teacher", "unlabelled", "tensorboard"}
    assert record.hyper_parameters == {name: getattr(quick(epochs=4, threads=1), name) for name in kept}
    assert {"torch", "transformers", "tokenizers", "peft", "accelerate"} <= set(record.versions)
    assert record.scores == {"split": "test", "before": result.before.micro.f1, "after": result.after.micro.f1}


def test_the_record_names_the_learning_rate_that_was_chosen_and_the_package(trained: Path) -> None:
    record = open_checkpoint(trained).record
    assert record is not None
    assert record.base_model == "package:cognition/model"
    assert record.hyper_parameters["learning_rate"] == 1e-3
    assert record.data["test"].source == "builtin:factory"


def test_no_file_names_a_folder_of_this_machine(
    finished: tuple[Path, TrainResult], trained: Path, tiny: Path, few_folder: Path
) -> None:
    places = {str(path) for path in (tiny, few_folder, trained.parent, finished[0].parent, Path.home(), Path.cwd())}
    for file in (*finished[0].iterdir(), *trained.iterdir()):
        content = file.read_bytes()
        assert [place for place in places if place.encode() in content] == [], file.name


def test_metrics_have_the_scores_and_every_epoch(finished: tuple[Path, TrainResult]) -> None:
    out, result = finished
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["epochs"] == result.epochs
    assert [row["epoch"] for row in result.epochs] == [1, 2, 3, 4]
    assert all({"train_loss", "valid_loss", "valid_f1"} <= set(row) for row in result.epochs)
    assert result.before.micro.f1 < 0.2 < result.after.micro.f1
    assert result.epochs[-1]["train_loss"] < result.epochs[0]["train_loss"]
    assert metrics["after"]["micro"]["f1"] == result.after.micro.f1
    assert result.before.micro.support == result.after.micro.support > 0


def test_the_score_is_the_one_that_evaluate_prints(finished: tuple[Path, TrainResult], few: Few) -> None:
    out, result = finished
    assert evaluate(out, few["test"]).entities == result.after


def test_the_score_after_training_in_half_precision_is_that_of_the_weights_in_fp32(
    few: Few, quick: Quick, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """accelerate leaves autocast around the model: bfloat16 rounds labels over where two are close."""
    rounded: list[bool] = []
    whole = PyTorchModel.run

    def run(self: PyTorchModel, inputs: Any) -> Any:
        logits = whole(self, inputs)
        rounded.append(bool((torch.from_numpy(logits).bfloat16().float().numpy() == logits).all()))
        return logits

    monkeypatch.setattr(PyTorchModel, "run", run)
    train(few, quick(epochs=1, precision="bf16"), tmp_path / "out")
    assert rounded and not any(rounded)


def test_fine_tuning_a_real_encoder_helps(trained: Path) -> None:
    metrics = json.loads((trained / "metrics.json").read_text())
    assert metrics["before"]["micro"]["f1"] < 0.2 < 0.4 < metrics["after"]["micro"]["f1"]


# --- seeds


def test_the_same_seed_gives_the_same_weights(
    finished: tuple[Path, TrainResult], few: Few, quick: Quick, weights: Weights, tmp_path: Path
) -> None:
    again = train(few, quick(epochs=4), tmp_path / "again")
    assert equal(weights(finished[0]), weights(tmp_path / "again")) == set(weights(finished[0]))
    assert again.epochs == finished[1].epochs


def test_another_seed_gives_other_weights(
    finished: tuple[Path, TrainResult], few: Few, quick: Quick, weights: Weights, tmp_path: Path
) -> None:
    train(few, quick(epochs=1, seed=1), tmp_path / "one")
    train(few, quick(epochs=1, seed=2), tmp_path / "two")
    assert equal(weights(tmp_path / "one"), weights(tmp_path / "two")) == set()


def test_a_new_head_begins_from_the_seed(few: Few, quick: Quick, weights: Weights, tmp_path: Path) -> None:
    for seed in (1, 2):  # at a rate too small to move anything
        train(few, quick(epochs=1, seed=seed, learning_rate=1e-9, batch_size=32), tmp_path / str(seed))
    one, two = weights(tmp_path / "1"), weights(tmp_path / "2")
    moved = {name for name, tensor in one.items() if (tensor - two[name]).abs().max() > 1e-4}
    assert moved == {"classifier.weight", "bert.embeddings.token_type_embeddings.weight"}


# --- which epoch is kept


def test_the_epoch_with_the_best_validation_f1_is_kept(
    few: Few, quick: Quick, planted: Callable[[list[float]], list[float]], tmp_path: Path
) -> None:
    true = planted([0.1, 0.2, 0.9, 0.3])
    data = {"train": few["train"], "valid": few["valid"]}
    result = train(data, quick(epochs=4), tmp_path / "out")
    assert true.count(true[2]) == 1  # no other epoch has its score
    assert result.after.micro.f1 == true[2]
    assert evaluate(tmp_path / "out", few["valid"]).entities.micro.f1 == true[2]


def test_training_stops_after_epochs_without_a_better_score(
    few: Few, quick: Quick, planted: Callable[[list[float]], list[float]], tmp_path: Path
) -> None:
    true = planted([0.5, 0.6, 0.6, 0.4, 0.9])
    result = train({name: few[name] for name in ("train", "valid")}, quick(epochs=5, patience=2), tmp_path / "out")
    assert [row["epoch"] for row in result.epochs] == [1, 2, 3, 4]
    assert result.after.micro.f1 == true[1]


def test_validation_scores_long_sentences_as_evaluate_does(few: Few, quick: Quick, tmp_path: Path) -> None:
    data = {name: few[name] for name in ("train", "valid")}
    result = train(data, quick(epochs=4, precision="fp32"), tmp_path / "out")  # epochs are scored under autocast
    best = max(result.epochs, key=lambda row: row["valid_f1"])
    assert best["valid_f1"] > 0.3
    assert result.after.micro.f1 == best["valid_f1"]


@pytest.mark.parametrize(("precision", "autocast"), [("fp32", False), ("bf16", True)])
def test_the_precision_asked_for_is_the_one_trained_in(
    few: Few, quick: Quick, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, precision: str, autocast: bool
) -> None:
    """accelerate reads the precision from the environment too, where an earlier run may have left another."""
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "no" if autocast else "bf16")
    seen: set[bool] = set()
    forward = torch.nn.Linear.forward

    def watched(layer: torch.nn.Linear, value: Any) -> Any:
        if torch.is_grad_enabled():
            seen.add(torch.is_autocast_enabled("cpu"))
        return forward(layer, value)

    monkeypatch.setattr(torch.nn.Linear, "forward", watched)
    train({"train": few["train"]}, quick(precision=precision, epochs=1), tmp_path / "out")
    assert seen == {autocast}


def test_without_a_valid_split_the_last_epoch_is_kept(few: Few, quick: Quick, tmp_path: Path) -> None:
    result = train({"train": few["train"]}, quick(), tmp_path / "out")
    assert result.split == "train"
    assert [set(row) for row in result.epochs] == [{"epoch", "train_loss"}] * 2
    assert evaluate(tmp_path / "out", few["train"]).entities == result.after


# --- parts frozen, adapters


@pytest.mark.parametrize(
    ("settings", "kept"),
    [({"freeze": "embeddings"}, ".embeddings."), ({"freeze": "encoder"}, "bert."), ({"freeze_layers": 1}, ".layer.0.")],
)
def test_frozen_parts_keep_their_weights_and_the_others_do_not(
    few: Few, quick: Quick, weights: Weights, tiny: Path, tmp_path: Path, settings: dict[str, Any], kept: str
) -> None:
    train(few, quick(epochs=1, case_channel=False, **settings), tmp_path / "out")
    old, new = weights(tiny), weights(tmp_path / "out")
    assert equal(old, new) == {name for name in old if kept in name}


def test_adapters_are_merged_into_a_checkpoint_like_any_other(
    few: Few, quick: Quick, weights: Weights, tiny: Path, tmp_path: Path
) -> None:
    from transformers import AutoModelForTokenClassification

    out = tmp_path / "out"
    result = train(few, quick(lora_rank=4, learning_rate=0.02, epochs=3), out)
    old, new = weights(tiny), weights(out)
    assert set(new) == set(old)  # no adapter weights
    assert not (out / "adapter_config.json").exists()
    changed = set(old) - equal(old, new)
    assert {name for name in changed if ".layer." in name} == {
        f"bert.encoder.layer.{layer}.attention.self.{part}.weight" for layer in (0, 1) for part in ("query", "value")
    }
    assert "bert.embeddings.word_embeddings.weight" not in changed
    model, loading = AutoModelForTokenClassification.from_pretrained(out, output_loading_info=True)
    assert not any(loading.values())
    assert "peft" not in type(model).__module__
    assert evaluate(out, few["test"]).entities == result.after  # with the case channel at work in both


def test_every_subword_can_be_labelled(few: Few, quick: Quick, tmp_path: Path) -> None:
    train(few, quick(epochs=1, label_all_subwords=True), tmp_path / "out")
    record = open_checkpoint(tmp_path / "out").record
    assert record is not None and record.label_all_subwords


# --- bad input


@pytest.fixture
def nothing_written(tmp_path: Path) -> Iterator[Path]:
    """A place to write to that must stay empty."""
    yield tmp_path / "out"
    assert list(tmp_path.iterdir()) == []


def test_a_label_that_training_never_saw_is_named(few: Few, quick: Quick, nothing_written: Path) -> None:
    first, *others = few["test"].sentences
    strange = replace(few["test"], sentences=(replace(first, spans=(Span("PLANET", 0, 1),)), *others))
    with pytest.raises(UserInputError, match=r"\(test\) has labels that the model does not know: PLANET") as caught:
        train({**few, "test": strange}, quick(), nothing_written)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("split", ["train", "valid", "test"])
@pytest.mark.parametrize("fault", ["no sentences", "no entities"])
def test_a_split_to_learn_nothing_from_is_refused(
    few: Few, quick: Quick, nothing_written: Path, split: str, fault: str
) -> None:
    bare = tuple(replace(sentence, spans=()) for sentence in few[split].sentences)
    empty = replace(few[split], sentences=() if fault == "no sentences" else bare)
    with pytest.raises(UserInputError, match=rf"\({split}\) has no entities"):
        train({**few, split: empty}, quick(), nothing_written)


def test_data_without_a_train_split_is_refused(few: Few, quick: Quick, nothing_written: Path) -> None:
    with pytest.raises(UserInputError, match="no train split, only valid, test") as caught:
        train({name: few[name] for name in ("valid", "test")}, quick(), nothing_written)
    assert caught.value.hint and "--cut" in caught.value.hint


@pytest.mark.parametrize(
    "model", ["package:nothing/model", "package:yaml/model", "package:no.thing/x", "package:", "./nowhere", "/no/where"]
)
def test_a_model_that_is_not_there_is_named(few: Few, quick: Quick, nothing_written: Path, model: str) -> None:
    with pytest.raises(UserInputError):
        train(few, quick(model=model), nothing_written)


def test_tensorboard_that_is_not_installed_is_named(
    few: Few, quick: Quick, nothing_written: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(UserInputError, match="TensorBoard is not installed"):
        train(few, quick(tensorboard="logs"), nothing_written)


def test_tensorboard_gets_a_log(few: Few, quick: Quick, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    train(few, quick(epochs=1, tensorboard=str(tmp_path / "logs")), tmp_path / "out")
    assert list((tmp_path / "logs").glob("events*"))
    assert "logs" not in (tmp_path / "out" / "edgener.json").read_text()


@pytest.mark.parametrize("kind", ["a thesis", "a pretrained model"])
def test_a_folder_that_is_not_ours_is_refused_before_training(
    few: Few, quick: Quick, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    out = tmp_path / "out"
    if kind == "a thesis":
        out.mkdir()
        (out / "thesis.txt").write_text("years of work")
    else:
        shutil.copytree(tiny, out)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    monkeypatch.setattr("edgener.train.run._set_up", lambda *_: pytest.fail("it trained"))
    with pytest.raises(UserInputError, match="so it is not replaced"):
        train(few, quick(), out)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_a_checkpoint_of_ours_is_replaced_whole(
    finished: tuple[Path, TrainResult], few: Few, quick: Quick, tmp_path: Path
) -> None:
    out = shutil.copytree(finished[0], tmp_path / "out")
    (out / "old.txt").write_text("from before")
    train(few, quick(epochs=1, seed=5), out)
    record = open_checkpoint(out).record
    assert record is not None and record.hyper_parameters["seed"] == 5
    assert not (out / "old.txt").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]

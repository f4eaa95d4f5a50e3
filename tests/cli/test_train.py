"""The train command: options over YAML, what it prints, how it ends."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from edgener.cli.main import main
from edgener.parity.measures.metrics import EntityScores, Score
from edgener.train.averaging import Averaging
from edgener.train.config import TrainConfig
from edgener.train.run import TrainResult

Run = Callable[..., Result]
BEFORE = EntityScores(Score(0.1, 0.2, 0.1333, 9), Score(0.1, 0.2, 0.1333, 9), {"PART": Score(0.1, 0.2, 0.1333, 9)})
AFTER = EntityScores(
    Score(0.8, 0.9, 0.8471, 9), Score(0.8, 0.9, 0.8471, 9),
    {"FAULT": Score(0.5, 0.6, 0.5455, 2), "PART": Score(0.9, 0.9, 0.9, 7)},
)  # fmt: skip


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the command hands to training, which only says what it would give."""
    calls: list[Any] = []

    def note(splits: Any, config: TrainConfig, out: Path, resume: bool) -> TrainResult:
        calls.extend([splits, config, out, resume])
        return TrainResult(str(out), "test", BEFORE, AFTER, [{"epoch": 1.0, "valid_f1": 0.5}])

    monkeypatch.setattr("edgener.train.run.train", note)
    return calls


@pytest.fixture(scope="module")
def run(sentences: Path) -> Run:
    """`run(*options)` is the train command on a sentence a split."""
    return lambda *options: CliRunner().invoke(main, ["train", "--data", *map(str, (sentences, *options))])


def test_without_options_the_defaults_are_asked_for(run: Run, asked: list[Any]) -> None:
    assert run("--out", "somewhere").exit_code == 0
    splits, config, out, resume = asked
    assert set(splits) == {"train", "valid", "test"}
    assert (config, out, resume) == (TrainConfig(), Path("somewhere"), False)


def test_options_override_the_file(run: Run, asked: list[Any], tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("epochs: 9\nlearning_rate: 2e-4\ncase_channel: true\nschedule: cosine\n")
    done = run("--out", "x", "--config", file, "--epochs", 2, "--no-case-channel", "--resume")
    assert done.exit_code == 0, done.output
    _, config, _, resume = asked
    expected = {"epochs": 2, "learning_rate": 2e-4, "case_channel": False, "schedule": "cosine"}
    assert config == dataclasses.replace(TrainConfig(), **expected)
    assert resume


@pytest.mark.parametrize(
    ("option", "name", "value"),
    [("--model", "model", "some/model"), ("--epochs", "epochs", 3), ("--learning-rate", "learning_rate", 0.5),
     ("--batch-size", "batch_size", 8), ("--accumulation", "accumulation", 4), ("--weight-decay", "weight_decay", 0.5),
     ("--warmup", "warmup", 0.25), ("--schedule", "schedule", "cosine"), ("--dropout", "dropout", 0.25),
     ("--max-grad-norm", "max_grad_norm", 2.0), ("--patience", "patience", 7), ("--freeze", "freeze", "embeddings"),
     ("--freeze-layers", "freeze_layers", 2), ("--lora-rank", "lora_rank", 8), ("--precision", "precision", "bf16"),
     ("--device", "device", "cpu"), ("--seed", "seed", 3), ("--tensorboard", "tensorboard", "logs"),
     ("--case-channel", "case_channel", True), ("--label-all-subwords", "label_all_subwords", True),
     ("--documents", "documents", 0.5), ("--layer-decay", "layer_decay", 0.9),
     ("--average-epochs", "average_epochs", 3)],
)  # fmt: skip
def test_every_setting_is_an_option(run: Run, asked: list[Any], option: str, name: str, value: object) -> None:
    done = run("--out", "x", option, *([] if value is True else [value]))
    assert done.exit_code == 0, done.output
    assert asked[1] == dataclasses.replace(TrainConfig(), **{name: value})  # type: ignore[arg-type]


def test_the_settings_of_distillation_are_options(run: Run, asked: list[Any]) -> None:
    given = ["--teacher", "out/a", "--unlabelled", "texts.txt", "--temperature", 3, "--soft-share", 0.7]
    assert run("--out", "x", *given, "--hidden-share", 0.1).exit_code == 0
    assert run("--out", "x", "--teacher", "out/a", "--teacher", "out/b").exit_code == 0
    one = TrainConfig(teacher=("out/a",), unlabelled="texts.txt", temperature=3.0, soft_share=0.7, hidden_share=0.1)
    assert (asked[1], asked[5]) == (one, TrainConfig(teacher=("out/a", "out/b")))


def test_every_setting_has_an_option_and_its_help() -> None:
    done = CliRunner().invoke(main, ["train", "--help"], terminal_width=200)
    for field in dataclasses.fields(TrainConfig):
        assert f"--{field.name.replace('_', '-')}" in done.output
        assert field.metadata["help"].split()[0] in done.output


def test_settings_for_few_sentences_are_chosen_and_shown_and_the_user_s_stay(asked: list[Any], tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("Pump B-PART\nleaks O\n\n" * 50)
    (tmp_path / "valid.txt").write_text("Pump B-PART\nleaks O\n")
    for options, chosen in (
        ([], {"epochs", "batch_size", "patience"}),
        (["--epochs", "7"], {"batch_size", "patience"}),
    ):
        done = CliRunner().invoke(main, ["train", "--data", str(tmp_path), "--out", "x", *options])
        assert done.exit_code == 0, done.output
        config = asked[-3]
        named = ", ".join(
            f"{name} {getattr(config, name)}" for name in ("epochs", "batch_size", "patience") if name in chosen
        )
        assert done.stderr == f"note: settings for 50 training sentences: {named}\n"
        assert "note" not in done.stdout
    assert config.epochs == config.patience == 7


def test_weights_that_were_averaged_are_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for taken, line in (
        (True, "weights: the mean of epochs 2, 3, F1 on valid 0.6000; the best epoch has 0.5000"),
        (False, "weights: the best epoch, F1 on valid 0.5000; the mean of epochs 2, 3 has 0.6000"),
    ):
        averaging = Averaging((2, 3), 0.6, 0.5, taken)
        result = TrainResult("x", "test", BEFORE, AFTER, [], averaging)
        monkeypatch.setattr("edgener.train.run.train", lambda *_, result=result: result)
        assert line in run("--out", "x", "--average-epochs", 2).stdout
        assert json.loads(run("--out", "x", "--json").stdout)["averaging"]["taken"] is taken


def test_the_scores_before_and_after_are_printed(run: Run, asked: list[Any]) -> None:
    out = run("--out", "x").stdout
    table = [re.split(r" {2,}", line.strip()) for line in out.splitlines()]
    rows = [row for row in table if len(row) == 6 and row[-1].isdecimal()]
    assert rows == [
        ["FAULT", "-", "0.5455", "0.5000", "0.6000", "2"],
        ["PART", "0.1333", "0.9000", "0.9000", "0.9000", "7"],
        ["all", "0.1333", "0.8471", "0.8000", "0.9000", "9"],
    ]
    assert "before F1" in out and "after F1" in out
    assert out.endswith("checkpoint: x\n")


def test_json_is_all_there_is_on_stdout(run: Run, asked: list[Any]) -> None:
    printed = json.loads(run("--out", "x", "--json").stdout)
    assert printed["before"]["micro"]["f1"] == 0.1333
    assert printed["after"]["labels"]["PART"]["support"] == 7
    assert printed["epochs"] == [{"epoch": 1.0, "valid_f1": 0.5}]


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_of_several_processes_only_the_first_speaks(
    run: Run, asked: list[Any], monkeypatch: pytest.MonkeyPatch, form: list[str]
) -> None:
    monkeypatch.setenv("RANK", "1")
    done = run("--out", "x", *form)
    assert (done.exit_code, done.output) == (0, "")
    monkeypatch.setenv("RANK", "0")
    assert run("--out", "x", *form).stdout


# --- bad input


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--epochs", "0"], "epochs: found 0, expected a whole number, more than 0"),
        (["--seed", "-1"], "seed: found -1, expected a whole number, 0 to below 2**32"),
        (["--learning-rate", "nan"], "learning_rate: found nan, expected a number, more than 0"),
        (["--epochs", "three"], "'three' is not a valid integer"),
        (["--documents", "1.5"], "documents: found 1.5, expected a number, 0 to 1"),
        (["--layer-decay", "0"], "layer_decay: found 0.0, expected a number, more than 0, at most 1"),
        (["--average-epochs", "1"], "average_epochs: found 1, expected a whole number, 0, or 2 or more"),
        (["--schedule", "linera"], "'linera' is not one of"),
        (["--epoch", "3"], "No such option"),
        (["--config", "nowhere.yaml"], "cannot read nowhere.yaml"),
        (["--model", "package:nothing/model"], "the package 'nothing' is not installed"),
        (["--model", "./nowhere"], "there is no folder ./nowhere"),
        (["--teacher", "nowhere"], "nowhere is not a checkpoint: it has no config.json"),
        (["--teacher", "nowhere", "--unlabelled", "nowhere.txt"], "there is no file nowhere.txt"),
        (["--unlabelled", "texts.txt"], "unlabelled needs a teacher"),
    ],
)
def test_bad_input_is_exit_2_and_a_message(run: Run, tmp_path: Path, options: list[str], message: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        done = run("--out", "out", *options)
    assert done.exit_code == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr and done.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_a_mistyped_setting_is_guessed(run: Run, tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text("epoch: 3\n")
    done = run("--out", tmp_path / "out", "--config", tmp_path / "run.yaml")
    assert done.exit_code == 2
    assert "run.yaml:1: found the key 'epoch', expected 'epochs'?" in done.stderr


def test_cuda_asked_for_and_absent_is_exit_6(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    done = run("--out", tmp_path / "out", "--device", "cuda")
    assert done.exit_code == 6
    assert "sees no CUDA device" in done.stderr and "nvidia-smi" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_empty_data_file_is_named(tmp_path: Path) -> None:
    for name in ("train.txt", "valid.txt"):
        (tmp_path / name).write_text("\n\n")
    done = CliRunner().invoke(main, ["train", "--data", str(tmp_path), "--out", str(tmp_path / "out")])
    assert done.exit_code == 2
    assert "train.txt holds no sentences" in done.stderr


def test_a_single_file_has_to_be_cut(tmp_path: Path) -> None:
    file = tmp_path / "all.txt"
    file.write_text("Pump B-PART\nleaks O\n")
    done = CliRunner().invoke(main, ["train", "--data", str(file), "--out", str(tmp_path / "out")])
    assert done.exit_code == 2
    assert "no train split" in done.stderr and "--cut 80/10/10" in done.stderr

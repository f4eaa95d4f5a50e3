"""The sweep command: what it hands over, prints and writes, and bad input."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from edgener.checkpoint import DataRecord
from edgener.cli.main import main
from edgener.report.sweep_page import PAGE
from edgener.train.config import load_config
from edgener.train.sweep.result import Finalist, SweepResult, SweepTrial, verdict
from edgener_runtime.base.install import BUILD_SIDE, install_line

Run = Callable[..., Result]
START, FOUND = {"learning_rate": 0.001, "dropout": None}, {"learning_rate": 2.5e-05, "dropout": 0.2}


def result(importances: dict[str, float]) -> SweepResult:
    trials = (
        SweepTrial(0, "complete", 0.8, START), SweepTrial(1, "pruned", 0.4, FOUND),
        SweepTrial(2, "complete", 0.9, FOUND), SweepTrial(3, "pruned", None, FOUND),
    )  # fmt: skip
    finalists = (Finalist(0, START, {"0": 0.8, "1": 0.82}), Finalist(2, FOUND, {"0": 0.9, "1": 0.91}))
    record = {name: DataRecord("data", name, "ab" * 32, 9, 9) for name in ("train", "valid")}
    space = {"learning_rate": "2.5e-05 to 0.004, by logarithm", "dropout": "the encoder's, 0.2"}
    return SweepResult(record, space, {"case_channel": True}, trials, importances, finalists, 2)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the command hands over; nothing is trained."""
    pytest.importorskip("optuna", reason="the extra sweep is not installed")
    calls: list[Any] = []

    def note(spec: Any, score: Any, log: Callable[[str], None]) -> SweepResult:
        calls.append(spec)
        log("trial 0 of 4")
        return result({"learning_rate": 0.75, "dropout": 0.25} if spec.trials > 2 else {})

    monkeypatch.setattr("edgener.train.sweep.run.sweep", note)
    return calls


@pytest.fixture(scope="module")
def run(sentences: Path) -> Run:
    """`run(*options)` is the sweep command on a sentence per split."""
    return lambda *options: CliRunner().invoke(main, ["sweep", "--data", *map(str, (sentences, *options))])


def test_given_settings_are_fixed_and_the_test_split_stays_out(run: Run, asked: list[Any], tmp_path: Path) -> None:
    file = tmp_path / "start.yaml"
    file.write_text("epochs: 9\n")
    done = run("--out", tmp_path / "out", "--config", file, "--case-channel", "--trials", 4, "--threads", 1)
    assert done.exit_code == 0, done.output
    (spec,) = asked
    assert set(spec.splits) == {"train", "valid"}
    assert set(spec.fixed) == {"epochs", "case_channel", "threads"} and spec.start.epochs == 9
    assert (spec.trials, spec.seeds, spec.study) == (4, 3, "edgener")
    assert spec.storage == f"sqlite:///{tmp_path}/out/study.db"


def test_few_sentences_have_a_start_of_their_own(asked: list[Any], tmp_path: Path) -> None:
    for split in ("train", "valid"):
        (tmp_path / f"{split}.txt").write_text("Pump B-PART\nleaks O\n\n" * 50)
    options = ("--data", tmp_path, "--out", tmp_path / "out", "--threads", 1, "--batch-size", 8)
    done = CliRunner().invoke(main, ["sweep", *map(str, options)])
    assert done.exit_code == 0, done.output
    (spec,) = asked
    assert (spec.start.batch_size, spec.start.epochs) == (8, 48)
    assert set(spec.fixed) == {"threads", "batch_size", "patience"}
    assert "note: settings for 50 training sentences: epochs 48, patience 48" in done.stderr


def test_the_result_is_printed_and_written(run: Run, asked: list[Any], tmp_path: Path) -> None:
    done = run("--out", tmp_path / "out", "--threads", 1)
    assert "trial 0 of 4" in done.stderr and "trial 0 of 4" not in done.stdout
    assert "learning_rate" in done.stdout and "75%" in done.stdout and "2 (chosen)" in done.stdout
    assert "Trial 2 has +0.0950 F1 on valid against trial 0" in done.stdout
    best = load_config(tmp_path / "out" / "best.yaml", {})
    assert (best.learning_rate, best.dropout, best.case_channel) == (2.5e-05, 0.2, True)
    page = (tmp_path / "out" / PAGE).read_text(encoding="utf-8")
    assert page.count("<svg") == 2 and "Search space" in page and "0.9050" in page
    assert json.loads((tmp_path / "out" / "sweep.json").read_text(encoding="utf-8"))["chosen"] == 2


def test_json_is_all_there_is_on_stdout(run: Run, asked: list[Any], tmp_path: Path) -> None:
    done = run("--out", tmp_path / "out", "--trials", 2, "--threads", 1, "--json")
    assert json.loads(done.stdout)["finalists"][1]["f1"] == {"0": 0.9, "1": 0.91}
    assert "Importances need 10 complete trials" in (tmp_path / "out" / PAGE).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("f1", "said"),
    [
        ({"0": 0.9, "1": 0.91}, "more than what a seed changes"),
        ({"0": 0.9, "1": 0.81}, "not clearly more than what a seed changes"),
        ({"0": 0.9}, "with one seed: the spread between seeds is not known"),
    ],
)
def test_the_verdict_knows_the_spread_between_seeds(f1: dict[str, float], said: str) -> None:
    import dataclasses

    found = dataclasses.replace(
        result({}), finalists=(Finalist(0, START, {"0": 0.8, "1": 0.82}), Finalist(2, FOUND, f1))
    )
    assert said in verdict(found)
    assert "keep them" in verdict(dataclasses.replace(found, chosen=0))


def test_without_optuna_the_install_line_is_shown(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    done = run("--out", tmp_path / "out")
    assert done.exit_code == 2
    assert "edgener sweep needs Optuna" in done.stderr and install_line("sweep", BUILD_SIDE) in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--trials", "1"], "'--trials'"),
        (["--seeds", "0"], "'--seeds'"),
        (["--epochs", "0"], "epochs: found 0, expected a whole number, more than 0"),
        (["--config", "nowhere.yaml"], "cannot read nowhere.yaml"),
        (["--tensorboard", "logs"], "a sweep writes no TensorBoard logs"),
    ],
)
def test_bad_input_is_exit_2_and_a_message(run: Run, tmp_path: Path, options: list[str], message: str) -> None:
    done = run("--out", tmp_path / "out", *options)
    assert done.exit_code == 2 and message in done.stderr
    assert list(tmp_path.iterdir()) == []

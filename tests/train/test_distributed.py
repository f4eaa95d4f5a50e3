"""Several processes: two with gloo on the CPU, started as torchrun starts them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from edgener.data.read import DataSpec, read_split
from edgener.report.scores import evaluate

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "edgener"]


def torchrun(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*TORCHRUN, *map(str, arguments)],
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        timeout=1800,  # a deadlock ends here
        check=False,
    )


@pytest.fixture(scope="module")
def settings(tiny: Path) -> list[object]:
    return ["--model", tiny, "--case-channel", "--device", "cpu", "--precision", "fp32", "--epochs", 6,
            "--batch-size", 4, "--learning-rate", 0.01]  # fmt: skip


def test_two_processes_write_one_checkpoint_and_print_the_scores_once(
    few_folder: Path, settings: list[object], make_teacher: Callable[..., Path], tmp_path: Path
) -> None:
    """One of them runs the teacher, for both."""
    out, texts = tmp_path / "checkpoint", tmp_path / "texts.txt"
    texts.write_text("Pump 7 in Oslo leaks oil.\nFix 3 valves in Bergen\n")
    teacher = make_teacher("roberta", "O B-NAME I-NAME B-NUMBER I-NUMBER")
    more = ["--teacher", teacher, "--unlabelled", texts, "--soft-share", 0.1, "--hidden-share", 0.01]
    done = torchrun("train", "--data", few_folder, "--out", out, "--json", *settings, *more)
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)  # one document, so one process printed
    assert {path.name for path in tmp_path.iterdir()} == {"checkpoint", "texts.txt"}
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["after"] == printed["after"]
    assert [row["epoch"] for row in metrics["epochs"]] == [1, 2, 3, 4, 5, 6]
    f1 = {
        name: evaluate(out, read_split(DataSpec(str(few_folder)), name)).entities.micro.f1 for name in ("valid", "test")
    }
    assert f1["test"] == printed["after"]["micro"]["f1"]
    assert f1["valid"] == max(row["valid_f1"] for row in printed["epochs"]) > 0  # gathered from both in order
    assert printed["epochs"][-1]["train_loss"] < printed["epochs"][0]["train_loss"]


def test_two_processes_refuse_bad_data_without_waiting_for_each_other(
    few_folder: Path, settings: list[object], tmp_path: Path
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "train.jsonl").write_bytes((few_folder / "train.jsonl").read_bytes())
    record = {"text": "Mars rises", "entities": [{"start": 0, "end": 4, "label": "PLANET"}]}
    (data / "test.jsonl").write_text(json.dumps(record))
    done = torchrun("train", "--data", data, "--out", tmp_path / "checkpoint", *settings)
    assert done.returncode != 0
    assert "labels that the model does not know: PLANET" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["data"]

"""The whole way through the commands themselves: train, evaluate, export, verify, predict, and what breaks it."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from edgener_runtime.bundle.manifest import read_manifest

from . import running
from .running import BIN

pytestmark = pytest.mark.compat

ENCODER = "package:cognition/model"


def run(command: str, *arguments: object, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    return running.run([command, *arguments], stdin=stdin)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> Path:
    out = tmp_path_factory.mktemp("spine") / "checkpoint"
    done = run("edgener", "train", "--data", "builtin:factory", "--model", ENCODER, "--case-channel", "--epochs", 2,
               "--out", out, "--json")  # fmt: skip
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["before"]["micro"]["f1"] < 0.2 < 0.6 < result["after"]["micro"]["f1"] < 1.0
    return out


@pytest.fixture(scope="module")
def bundle(checkpoint: Path) -> Path:
    out = checkpoint.with_name("bundle")
    done = run("edgener", "export", checkpoint, "--out", out, "--data", "builtin:factory", "--max-f1-drop", 0.02)
    assert done.returncode == 0, done.stderr
    return out


def test_the_score_of_training_is_the_one_of_evaluate(checkpoint: Path) -> None:
    done = run("edgener", "evaluate", checkpoint, "--data", "builtin:factory", "--json")
    metrics = json.loads((checkpoint / "metrics.json").read_text())
    assert json.loads(done.stdout)["entities"] == metrics["after"]


def test_nothing_is_left_beside_the_outputs(bundle: Path) -> None:
    assert sorted(path.name for path in bundle.parent.iterdir()) == ["bundle", "checkpoint"]


def test_the_manifest_has_parity_and_provenance(bundle: Path) -> None:
    manifest = json.loads(read_manifest(bundle).to_json())
    variants = {variant["name"]: variant for variant in manifest["variants"]}
    assert set(variants) == {"int8-dynamic", "fp32"}
    int8, fp32 = variants["int8-dynamic"], variants["fp32"]
    assert int8["speed"]["latency_ms"]["low"] <= int8["speed"]["latency_ms"]["median"]
    assert fp32["parity"]["equal_labels"] == 1.0
    assert 0 < int8["parity"]["churn"] < 0.2
    assert int8["proven"][0]["provider"] == "CPUExecutionProvider"
    assert manifest["tokenizer"]["case_channel"]
    assert manifest["provenance"]["training"]["data"]["train"]["sentences"] == 2000
    assert str(Path.home()) not in json.dumps(manifest)


def test_the_report_stands_in_the_bundle_and_is_listed(bundle: Path) -> None:
    files = {file["path"] for file in json.loads((bundle / "measured.json").read_text())["files"]}
    assert "report.html" in files and any(path.endswith(".svg") for path in files)
    assert "int8-dynamic" in (bundle / "report.html").read_text(encoding="utf-8")


def test_the_bundle_scores_what_its_manifest_says(bundle: Path) -> None:
    for variant in read_manifest(bundle).variants:
        done = run("edgener", "evaluate", bundle, "--variant", variant.name, "--data", "builtin:factory", "--json")
        assert variant.parity
        assert json.loads(done.stdout)["entities"]["micro"]["f1"] == pytest.approx(variant.parity.f1, abs=1e-12)


def test_predict_reads_arguments_lines_and_json_lines(bundle: Path) -> None:
    text = "Bearing of conveyor 3 worn, replaced"
    given = run("edgener-runtime", "predict", bundle, text)
    lines = run("edgener-runtime", "predict", bundle, stdin=f"{text}\n\n")
    records = run("edgener-runtime", "predict", bundle, "--format", "jsonl", stdin=json.dumps({"text": text, "id": 7}))
    answer = json.loads(given.stdout)
    assert answer["entities"]
    assert all(text[entity["start"] : entity["end"]] == entity["text"] for entity in answer["entities"])
    assert json.loads(lines.stdout) == answer
    assert json.loads(records.stdout) == {"text": text, "id": 7, "entities": answer["entities"]}


def test_the_reproduce_script_makes_the_same_bundle(checkpoint: Path, bundle: Path, tmp_path: Path) -> None:
    """With another kernel of BLAS, which adds up in another order: tests/exporters/test_distance.py shows it does."""
    again = tmp_path / "again"
    words = ["sh", bundle / "reproduce.sh", checkpoint, "builtin:factory", again]
    done = running.run(words, environment={"PATH": f"{BIN}:/usr/bin:/bin", "OPENBLAS_CORETYPE": "Nehalem"})
    assert done.returncode == 0, done.stderr + done.stdout
    assert "the same, byte for byte" in done.stdout
    names = sorted(path.relative_to(bundle) for path in bundle.rglob("*") if path.is_file())
    assert all((bundle / name).read_bytes() == (again / name).read_bytes() for name in names)


@pytest.mark.parametrize("name", ["tokenizer.json", "variants/fp32.onnx", "parity.md"])
def test_a_changed_byte_is_exit_5(bundle: Path, tmp_path: Path, name: str) -> None:
    copy = shutil.copytree(bundle, tmp_path / "copy")
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / name).write_bytes(content)
    for command in (["predict", copy, "text"], ["verify", copy]):
        done = run("edgener-runtime", *command)
        assert done.returncode == 5
        assert f"{name} was changed" in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["train", "--data", "nowhere.txt", "--out", "x"], 2, "there is no file nowhere.txt"),
        (["train", "--data", "builtin:factory", "--model", "package:nothing/model", "--out", "x"], 2, "not installed"),
        (["export", "nowhere", "--data", "builtin:factory", "--out", "x"], 2, "is not a checkpoint"),
        (["evaluate", "nowhere", "--data", "builtin:factory"], 2, "neither a checkpoint"),
        (["data", "inspect", "--data", "builtin:nothing"], 2, "no built-in data set"),
    ],
)
def test_bad_input_is_a_clear_error(tmp_path: Path, arguments: list[str], code: int, message: str) -> None:
    done = running.run(["edgener", *arguments], cwd=tmp_path)
    assert done.returncode == code, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []

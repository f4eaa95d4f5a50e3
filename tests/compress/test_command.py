"""The command: killed while it trains, it continues; what it prints and writes; wrong calls."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from edgener.checkpoint import open_checkpoint
from edgener.cli.main import main
from edgener.compress.measure import VariantRunner
from edgener.parity.reference import PyTorchModel

COUNTS = {"train": 160, "valid": 40, "test": 40}
# The command in a process that gets SIGKILL in the training of a candidate.
KILLED = """
import os, signal
from edgener.train import run
from transformers.trainer_callback import CallbackHandler

def killed(*_):
    os.kill(os.getpid(), signal.SIGKILL)

CallbackHandler.on_step_end = killed
from edgener.cli.main import main
main()
"""


@pytest.fixture(scope="module")
def some_data(small_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first sentences of each split."""
    folder = tmp_path_factory.mktemp("data")
    for name, count in COUNTS.items():
        lines = (small_data / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()[:count]
        (folder / f"{name}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def arguments(trained: Path, some_data: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The command's options: the smallest candidate alone is trained, as none has so small a file."""
    corpus = tmp_path_factory.mktemp("corpus") / "texts.txt"
    corpus.write_text("The gearbox hums\n", encoding="utf-8")
    out = tmp_path_factory.mktemp("compressed") / "small"
    settings = corpus.with_name("settings.yaml")
    settings.write_text("batch_size: 16\n")
    options = {
        "--data": some_data, "--out": out, "--target-mb": 0.01, "--max-unknown": 0.3, "--max-f1-drop": 0.9,
        "--corpus": corpus, "--epochs": 1, "--config": settings, "--threads": 1,
    }  # fmt: skip
    return ["compress", str(trained), *(str(part) for option in options.items() for part in option)]


@pytest.fixture(scope="module")
def killed(arguments: list[str]) -> Path:
    """The folder of the unfinished compression of a killed process."""
    command = [sys.executable, "-c", KILLED, *arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"}, timeout=3600, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    out = Path(arguments[arguments.index("--out") + 1])
    assert [path.name for path in out.parent.iterdir()] == ["small.unfinished"]
    return out.with_name("small.unfinished")


@pytest.fixture(scope="module")
def steps(killed: Path) -> dict[str, int]:
    """What a killed process had finished, with the time of each."""
    return {path.name: path.stat().st_mtime_ns for path in killed.iterdir()}


@pytest.fixture(scope="module")
def done(killed: Path, steps: dict[str, int], arguments: list[str]) -> Result:
    """The same command again."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(VariantRunner, "time", None)  # measured by the process that was killed
        return CliRunner().invoke(main, [*arguments, "--json"])


def test_a_killed_compression_continues(done: Result, steps: dict[str, int], killed: Path) -> None:
    assert done.exit_code == 3, done.stderr
    assert any(name.startswith("shapes-") for name in steps)
    assert "measuring" not in done.stderr and not killed.exists()
    assert "No candidate meets the target of 0.01 MB" in done.stderr and "--max-f1-drop" in done.stderr


def test_json_is_all_there_is_on_stdout(done: Result) -> None:
    result = json.loads(done.stdout)
    judged = [each["name"] for each in result["candidates"] if each["answers"]]
    assert judged == ["full", result["chosen"]]
    assert result["chosen"].startswith("1 layer, feed-forward 256, vocabulary ")
    assert result["misses"] == ["0.6 MB, the target is 0.01 MB"] and result["test"]["split"] == "test"
    assert 0 < result["vocabulary"]["changed"] < 0.3 and result["vocabulary"]["after"] < 4000
    sizes = {each["name"]: each["size"] for each in result["candidates"]}
    assert sizes[result["chosen"]] == min(sizes.values()) < sizes["full"] / 5


def test_the_result_is_a_checkpoint_of_plain_transformers(done: Result, killed: Path) -> None:
    from transformers import AutoModelForTokenClassification, AutoTokenizer

    out, result = killed.with_name("small"), json.loads(done.stdout)
    shape = next(each["shape"] for each in result["candidates"] if each["name"] == result["chosen"])
    model = AutoModelForTokenClassification.from_pretrained(out)
    assert (model.config.num_hidden_layers, model.config.intermediate_size) == (
        shape["layers"], shape["feed_forward"],
    )  # fmt: skip
    assert len(AutoTokenizer.from_pretrained(out)) == model.config.vocab_size == shape["vocabulary"]
    opened = open_checkpoint(out)
    assert opened.record and opened.record.case_channel and opened.record.compression
    assert opened.record.teachers and opened.record.hyper_parameters["batch_size"] == 16
    with PyTorchModel.open(opened) as runnable:
        assert next(runnable.logits(["Pump P-101 leaks"])).logits.shape[1] == len(opened.labels)
    assert (out / "compression.png").stat().st_size > 1000 and "<svg" in (out / "compression.svg").read_text()


def test_the_table_names_every_candidate(
    done: Result, arguments: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from dataclasses import replace

    from edgener.compress.result import CompressionResult
    from edgener_runtime.base.serde import from_json

    result = from_json(CompressionResult, done.stdout, "stdout")
    met = replace(result, misses=(), notes=("the vocabulary stays: no",))

    def write(path: Path, out: Path, *_: Any) -> CompressionResult:
        out.mkdir()
        return met

    monkeypatch.setattr("edgener.compress.run.compress", write)
    place = arguments.index("--out") + 1
    printed = CliRunner().invoke(main, [*arguments[:place], str(tmp_path / "out"), *arguments[place + 1 :]])
    assert printed.exit_code == 0
    for words in ("F1 before", "on test: F1", "note: the vocabulary", "meets the target of 0.01 MB"):
        assert words in printed.stdout
    assert f"chart:      {tmp_path / 'out' / 'compression.png'}" in printed.stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "give a target: --target-ms 1.0, --target-mb 12, or both"),
        (["--target-ms", "0"], "'--target-ms'"),
        (["--target-ms", "nan"], "'--target-ms'"),
        (["--target-mb", "-3"], "'--target-mb'"),
        (["--target-mb", "1", "--max-f1-drop", "2"], "'--max-f1-drop'"),
        (["--target-mb", "1", "--variant", "fp16"], "cannot be timed here: it does not run on a CPU"),
        (["--target-mb", "1", "--variant", "mixed"], "cannot be timed here: it needs a search"),
        (["--target-mb", "1", "--variant", "fp32,int8-dynamic"], "--variant names 2 variants"),
        (["--target-ms", "1", "--corpus", "texts.txt"], "--corpus is for a smaller vocabulary"),
        (["--target-mb", "1", "--corpus", "nowhere.txt"], "cannot read nowhere.txt"),
        (["--target-mb", "1", "--epochs", "0"], "epochs: found 0"),
        (["--target-mb", "1", "--config", "nowhere.yaml"], "cannot read nowhere.yaml"),
    ],
)
def test_wrong_calls_are_exit_2_and_a_message(
    trained: Path, some_data: Path, tmp_path: Path, options: list[str], message: str
) -> None:
    call = ["compress", str(trained), "--data", str(some_data), "--out", str(tmp_path / "out"), "--threads", "1"]
    failed = CliRunner().invoke(main, [*call, *options])
    assert failed.exit_code == 2 and message in failed.stderr
    assert list(tmp_path.iterdir()) == []

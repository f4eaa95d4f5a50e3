"""`edgener bench` on this machine: labelled data, PyTorch besides, and wrong calls."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edgener.cli.main import main
from edgener.data.read import FORMATS

QUICK = ("--seconds", "1", "--scenario", "offline", "--variant", "fp32", "--threads", "1", "--driver", "builtin")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["bench", *map(str, arguments)])


def test_labelled_data_gives_each_row_an_f1_and_pytorch_stands_besides(exported: Path, trained: Path) -> None:
    done = run(exported, *QUICK, "--data", "builtin:factory", "--checkpoint", trained, "--json")
    assert done.exit_code == 0, done.output
    result = json.loads(done.stdout)
    assert [row["case"]["variant"] for row in result["rows"]] == ["fp32", "pytorch"]
    assert all(0.3 < row["f1"] < 1 for row in result["rows"])
    assert result["works"][0]["name"] == "builtin:factory (test)" and result["works"][0]["gold"]


def test_texts_are_taken_as_on_the_device(exported: Path, tmp_path: Path) -> None:
    (tmp_path / "orders.txt").write_text("Oil leak at pump P-101\nok\n")
    done = run(exported, *QUICK, "--input", tmp_path / "orders.txt", "--format", "lines", "--out", tmp_path / "a.json")
    assert done.exit_code == 0, done.output
    assert "orders.txt: 2 texts" in done.stdout and (tmp_path / "a.json").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data", "builtin:factory", "--input", "orders.txt"], "give --data or --input, not both"),
        (["--data", "builtin:factory", "--format", "jsonl"], f"--format jsonl is not one of {', '.join(FORMATS)}"),
        (["--input", "orders.txt", "--format", "conll"], "--format conll is not one of auto, text, lines, jsonl"),
        (["--data", "missing.conll"], "missing.conll"),
        (["--checkpoint", "missing"], "is not a checkpoint"),
        (["--out", "."], "--out names a file, . is a folder"),
        (["--wheel", __file__], "--wheel is only for --hosts"),
    ],
)
def test_a_wrong_call_is_2(arguments: list[str], message: str, exported: Path) -> None:
    done = run(exported, *QUICK, *arguments)
    assert done.exit_code == 2 and message in done.output

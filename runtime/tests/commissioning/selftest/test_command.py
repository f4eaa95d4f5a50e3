"""`edgener-runtime selftest`, as people call it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgener_runtime.commissioning.selftest.report import read_report

pytestmark = pytest.mark.compat

Run = Callable[..., Any]
QUICK = ("--seconds", "0.1")


def test_a_report_and_a_page_are_written(bundle: Path, tmp_path: Path, run: Run) -> None:
    out = tmp_path / "reports" / "board.json"
    done = run("selftest", bundle, "--device", "cpu", "--name", "My board", "--out", out, *QUICK)
    assert done.code == 0
    assert done.out.startswith("pass: int8-dynamic of tiny-factory on CPUExecutionProvider, My board: ")
    assert "pass    bundle        10 files, all as in the manifest\n" in done.err
    assert (
        max(map(len, done.err.splitlines())) <= 80 and f"\n{'':<22}" in done.err
    )  # long details go on below each other
    assert read_report(out).machine.name == "My board"
    assert "My board" in out.with_suffix(".html").read_text(encoding="utf-8")
    assert sorted(file.name for file in out.parent.iterdir()) == ["board.html", "board.json"]


def test_json_on_stdout_is_the_report(bundle: Path, run: Run) -> None:
    done = run("selftest", bundle, "--device", "cpu", "--variant", "fp32", "--json", *QUICK)
    assert json.loads(done.out)["variant"] == "fp32"


def test_a_report_of_one_machine_goes_to_the_next(bundle: Path, tmp_path: Path, run: Run) -> None:
    run("selftest", bundle, "--device", "cpu", "--name", "laptop", "--out", tmp_path / "laptop.json", *QUICK)
    done = run("selftest", bundle, "--device", "cpu", "--against", tmp_path / "laptop.json", *QUICK)
    assert done.code == 0 and "labels are those of int8-dynamic on laptop" in done.err


def test_own_texts_can_be_asked(bundle: Path, tmp_path: Path, run: Run) -> None:
    (tmp_path / "orders.txt").write_text("oil leak at pump P-101\nvalve stuck\n")
    done = run("selftest", bundle, "--device", "cpu", "--input", tmp_path / "orders.txt", "--json", *QUICK)
    assert len(json.loads(done.out)["answers"]) == 2
    assert "oil leak" not in done.out


def test_cuda_that_is_not_there_is_6_and_written_down(bundle: Path, tmp_path: Path, run: Run) -> None:
    done = run("selftest", bundle, "--device", "cuda", "--out", tmp_path / "report.json", *QUICK)
    if done.code == 0:
        pytest.skip("this machine has CUDA")
    assert done.code == 6 and done.out.startswith("fail: tiny-factory on cuda")
    assert "fail    device" in done.err and "Traceback" not in done.err
    assert read_report(tmp_path / "report.json").exit_code == 6


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--out", "report.html"], "--out is the report, such as report.json"),
        (["--variant", "int4"], "has no variant 'int4'"),
        (["--against", "missing.json"], "cannot read missing.json"),
        (["--input", "missing.txt"], "cannot read missing.txt"),
        (["--input", "empty.txt"], "has no texts"),
        (["--seconds", "0"], "Invalid value for '--seconds'"),
    ],
)
def test_a_wrong_call_is_2(
    arguments: list[str], message: str, bundle: Path, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty.txt").touch()
    monkeypatch.chdir(tmp_path)
    done = run("selftest", bundle, *arguments)
    assert done.code == 2 and message in done.err


def test_a_folder_that_is_not_a_bundle_is_5(tmp_path: Path, run: Run) -> None:
    done = run("selftest", tmp_path, "--out", tmp_path / "report.json")
    assert done.code == 5 and "is not a bundle" in done.err

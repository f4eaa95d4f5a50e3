"""`edgener-runtime bench`, as people call it."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgener_runtime.base.serde import to_json
from edgener_runtime.commissioning.bench.results.record import read_result
from edgener_runtime.commissioning.bench.spec import Spec

pytestmark = pytest.mark.timing

Run = Callable[..., Any]
QUICK = (
    "--seconds", "1", "--variant", "fp32", "--threads", "1", "--scenario", "single-stream", "--driver", "builtin",
    "--device", "cpu",
)  # fmt: skip
# As the installed script; a suite run in the background ignores Ctrl-C, and so would what it starts.
SCRIPT = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from edgener_runtime.cli.main import main
main(prog_name="edgener-runtime")
"""


def test_the_matrix_is_printed_and_the_result_written(bundle: Path, tmp_path: Path, run: Run) -> None:
    out = tmp_path / "results" / "bench.json"
    done = run("bench", bundle, *QUICK, "--name", "box", "--length", "16", "--out", out)
    assert done.code == 0, done.err
    assert done.out.startswith("tiny-factory on box: ") and "16 subwords: 64 texts, 1024 subwords" in done.out
    (row,) = read_result(out).rows
    assert (row.case.variant, row.case.scenario, row.case.threads) == ("fp32", "single-stream", 1)
    assert [file.name for file in out.parent.iterdir()] == ["bench.json"]


def test_json_on_stdout_is_the_result_and_marks_are_reported_on_stderr(bundle: Path, tmp_path: Path, run: Run) -> None:
    orders = tmp_path / "orders.jsonl"
    orders.write_text(json.dumps({"text": "oil leak", "entities": [{"label": "X", "start": 0, "end": 3}]}))
    done = run("bench", bundle, *QUICK, "--input", orders, "--json")
    result = json.loads(done.out)
    assert result["works"][0]["name"] == "orders.jsonl" and result["works"][0]["gold"] is True
    assert result["rows"][0]["f1"] == 0.0
    busy = any(row["marks"] for row in result["rows"])
    assert done.err.startswith("warning: rows are marked") if busy else done.err == ""


def test_progress_comes_in_lines_where_a_program_reads_it(bundle: Path, run: Run) -> None:
    done = run("bench", bundle, *QUICK, "--progress", "lines")
    assert done.err.startswith("0 of 1 s, round 1, 1 of 1 rows: fp32 on cpu, 1 thread")


def test_several_variants_and_lengths_may_be_given(bundle: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    specs: list[Spec] = []
    monkeypatch.setattr(
        "edgener_runtime.commissioning.cli.bench.measure", lambda context, spec, *more: specs.append(spec)
    )
    for variants in (["--variant", "fp32,int8-dynamic"], ["--variant", "fp32", "--variant", "int8-dynamic"]):
        assert run("bench", bundle, *variants, "--length", "16", "--length", "64").code == 0
    old = run("bench", bundle, "--variant", "fp32,int8-dynamic", "--lengths", "16", "--lengths", "64")
    assert old.err == "note: --lengths is now called --length\n"
    assert len(set(specs)) == 1 and (specs[0].variants, specs[0].lengths) == (("fp32", "int8-dynamic"), (16, 64))


def test_a_spec_in_a_file_stands_for_all_its_options(bundle: Path, tmp_path: Path, run: Run) -> None:
    spec = Spec(
        "elsewhere", ("offline",), ("fp32",), ("cpu",), (1,), lengths=(16,), seconds=0.5, driver="builtin", name="pi"
    )
    file = tmp_path / "spec.json"
    fields = json.loads(to_json(spec))
    del fields["bundle"]  # the argument names it
    file.write_text(json.dumps(fields), encoding="utf-8")
    done = run("bench", bundle, "--spec", file, "--json")
    assert done.code == 0, done.err
    result = json.loads(done.out)
    assert (result["name"], result["driver"], result["bundle"]) == ("pi", "builtin", "tiny-factory")
    assert [(row["case"]["variant"], row["case"]["scenario"]) for row in result["rows"]] == [("fp32", "offline")]


@pytest.mark.parametrize(
    "option", [("--seconds", "5"), ("--input", __file__), ("--name", "box"), ("--variant", "fp32")]
)
def test_a_spec_in_a_file_leaves_nothing_to_its_options(
    option: tuple[str, str], bundle: Path, tmp_path: Path, run: Run
) -> None:
    (tmp_path / "spec.json").write_text(to_json(Spec("b")), encoding="utf-8")
    done = run("bench", bundle, "--spec", tmp_path / "spec.json", *option)
    assert done.code == 2 and "--spec says all that is measured" in done.err


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "cannot read"),
        (b"\xff", "not UTF-8 at byte 0"),
        (b"{", "spec.json:1: not JSON"),
        (b'{"secnods": 3}', "unknown field 'secnods'"),
        (b'{"seconds": "3"}', 'spec.json.seconds: expected a number, found "3"'),
        (b'{"bundle": "b", "scenarios": []}', "there are no scenarios"),
    ],
)
def test_a_spec_that_cannot_be_used_is_2(
    content: bytes | None, says: str, bundle: Path, tmp_path: Path, run: Run
) -> None:
    if content:
        (tmp_path / "spec.json").write_bytes(content)
    done = run("bench", bundle, "--spec", tmp_path / "spec.json")
    assert done.code == 2 and says in done.err and "Traceback" not in done.err


def test_a_folder_cannot_be_a_result(bundle: Path, tmp_path: Path, run: Run) -> None:
    done = run("bench", bundle, *QUICK, "--out", tmp_path)
    assert done.code == 2 and f"--out names a file, {tmp_path} is a folder" in done.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--scenario", "bursts"], "'bursts' is not one of 'single-stream'"),
        (["--variant", "int4"], "has no variant 'int4'"),
        (["--input", "missing.txt"], "cannot read missing.txt"),
        (["--input", os.devnull], "null has no texts"),
        (["--length", "2"], "a text of 2 subwords is impossible"),
        (["--seconds", "0"], "Invalid value for '--seconds'"),
        (["--within", "0%"], "'0%' is not a share above 0, such as 2% or 0.02"),
        (["--within", "narrow"], "is not a share above 0"),
        (["--driver", "wheel"], "'wheel' is not one of"),
    ],
)
def test_a_wrong_call_is_2(arguments: list[str], message: str, bundle: Path, run: Run) -> None:
    done = run("bench", bundle, *arguments)
    assert done.code == 2 and message in done.err and "Traceback" not in done.err


def test_a_folder_that_is_not_a_bundle_is_5(tmp_path: Path, run: Run) -> None:
    done = run("bench", tmp_path, *QUICK)
    assert done.code == 5 and "is not a bundle" in done.err


def test_nothing_that_can_run_here_is_6(copy: Path, edit: Callable[..., Path], run: Run) -> None:
    for number in range(2):
        edit("variants", number, "needs", providers=["CUDAExecutionProvider"])
    done = run("bench", copy, "--device", "cpu")
    assert done.code == 6 and "no variant can run here" in done.err


def test_nothing_that_was_measured_is_6(bundle: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "edgener_runtime.commissioning.bench.turn.python_command", lambda module: (sys.executable, "-c", "1/0")
    )
    done = run("bench", bundle, *QUICK)
    assert done.code == 6 and "not run: fp32 on cpu, 1 threads: its process ended with code 1: ZeroDiv" in done.out
    assert "nothing could be measured: its process ended with code 1: ZeroDiv" in done.err


def test_a_path_that_cannot_be_written_is_reported_before_anything_is_measured(
    bundle: Path, tmp_path: Path, run: Run
) -> None:
    (tmp_path / "file").write_text("")
    start = time.monotonic()
    done = run("bench", bundle, "--seconds", "300", "--out", tmp_path / "file" / "bench.json")
    assert done.code == 1 and "cannot write" in done.err and time.monotonic() - start < 20


def test_a_disk_that_fills_does_not_lose_what_was_measured(
    bundle: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, write, count = tmp_path / "bench.json", Path.write_bytes, 0

    def fill(path: Path, data: bytes) -> int:
        nonlocal count
        count += 1
        if count > 3:  # the trial before the first turn, the start, and the first turn
            write(path, data[:100])
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", fill)
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    done = run("bench", bundle, *QUICK[2:], "--seconds", "12", "--out", out)
    assert done.code == 1
    assert f"error: cannot write {out}: No space left on device" in done.err and "Traceback" not in done.err
    rescued = next((tmp_path / "tmp").glob("bench-*.json"))
    assert f"Nothing is lost: the result is in {rescued}." in done.err
    assert not read_result(rescued).partial and len(read_result(rescued).rows[0].rounds) > 1
    assert read_result(out).partial and sorted(file.name for file in tmp_path.iterdir()) == ["bench.json", "tmp"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
def test_ctrl_c_keeps_what_was_measured_and_is_130(bundle: Path, tmp_path: Path) -> None:
    out = tmp_path / "bench.json"
    command = [sys.executable, "-c", SCRIPT, "bench", str(bundle), *QUICK[2:], "--seconds", "20", "--out", str(out)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | {"TMPDIR": str(tmp_path)}
    ) as process:
        assert process.stderr and process.stdout
        until = time.monotonic() + 600
        while not (out.exists() and read_result(out).rows[0].rounds) and time.monotonic() < until:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        assert process.wait(600) == 130
        said, output = process.stderr.read(), process.stdout.read()
    assert said.endswith(f"interrupted; what was measured is in {out}, marked partial\n") and "Traceback" not in said
    assert "\ninterrupted: " in output
    kept = read_result(out)
    assert kept.partial and kept.rows[0].status == "partial" and kept.rows[0].ended_by == "interrupted"
    assert kept.rows[0].figures and len(kept.rows[0].rounds) >= 1
    assert [file.name for file in tmp_path.iterdir()] == ["bench.json"]

"""`edgener-runtime tag`: summaries, exit codes, and what an interrupted job says."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from edgener_runtime.bulk.cli import tag as command
from edgener_runtime.bulk.journal import JOURNAL
from edgener_runtime.bulk.progress import ProgressLine, describe, duration
from edgener_runtime.bulk.run import TagProgress
from edgener_runtime.cli.options import LoadOptions
from edgener_runtime.errors import StorageError

from .conftest import write_lines
from .test_run import planted

Run = Callable[..., Any]
COMMAND = "import sys; from edgener_runtime.cli.main import main; main(prog_name='edgener-runtime')"


def test_a_summary_for_people_and_for_programs(bundle: Path, run: Run, tmp_path: Path) -> None:
    source = write_lines(tmp_path / "in.jsonl", [{"text": "Pump leaks"}] * 3)
    out = tmp_path / "out.jsonl"
    done = run("tag", bundle, source, "--out", out, "--workers", 1, "--json", "--variant", "fp32")
    record = json.loads(done.out)
    assert done.code == 0 and done.err == "" and record["rows"] == record["texts"] == 3 and record["workers"] == 1
    assert record["engine"]["tuning"].startswith("1 threads") and record["rejects"] is None
    done = run("tag", bundle, source, "--out", out)
    assert done.code == 2 and "--overwrite" in done.err
    done = run("tag", bundle, source, "--out", out, "--resume")
    assert done.code == 0 and "nothing to resume" in done.err and done.out == ""
    done = run("tag", bundle, source, "--out", out, "--overwrite", "--workers", 1, "--variant", "fp32")
    assert done.code == 0 and done.out.startswith(f"{out}: 3 texts, ")


def test_rejected_rows_are_exit_2(bundle: Path, run: Run, tmp_path: Path) -> None:
    source = write_lines(tmp_path / "in.jsonl", [{"text": "Pump leaks"}, {"text": None}, {"text": "x" * 20}])
    done = run("tag", bundle, source, "--out", tmp_path / "o.jsonl", "--max-characters", 15, "--workers", 1)
    assert done.code == 2 and "2 of 3 rows have no answer; they are listed in" in done.err
    rows = [json.loads(line) for line in (tmp_path / "o.jsonl.rejects.jsonl").read_text().splitlines()]
    assert rows == [
        {"source": "in.jsonl", "row": 2, "line": 2, "reason": "null in place of a text", "text": ""},
        {"source": "in.jsonl", "row": 3, "line": 3, "reason": "longer than 15 characters", "text": "x" * 20},
    ]
    done = run("tag", bundle, source, "--out", tmp_path / "o.jsonl", "--resume")
    assert done.code == 2 and "is complete" in done.err and "o.jsonl.rejects.jsonl" in done.err
    source = write_lines(tmp_path / "in2.jsonl", [{"text": "Pump leaks"}])
    done = run("tag", bundle, source, "--out", tmp_path / "o.jsonl", "--overwrite", "--workers", 1)
    assert done.code == 0 and not (tmp_path / "o.jsonl.rejects.jsonl").exists()


def test_rows_at_which_workers_died_are_exit_6(
    bundle: Path, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "BulkJob", partial(command.BulkJob, command=planted("os._exit(9)")))
    source = write_lines(tmp_path / "in.jsonl", [{"text": "a fault"}])
    done = run("tag", bundle, source, "--out", tmp_path / "o.jsonl", "--workers", 1)
    assert done.code == 6 and "workers died at rows in.jsonl 1 to 1" in done.err


def test_an_interrupted_job_says_how_to_continue(bundle: Path, tmp_path: Path) -> None:
    source = write_lines(tmp_path / "in put.jsonl", [{"text": f"Pump {n} leaks at the seal"} for n in range(20_000)])
    arguments = ["tag", str(bundle), str(source), "--out", str(tmp_path / "o.jsonl"), "--workers", "1", "--overwrite"]
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, *arguments], stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # a shell's jobs ignore it
    )  # fmt: skip
    state = tmp_path / "o.jsonl.unfinished"
    while not ((state / JOURNAL).is_file() and b'"number"' in (state / JOURNAL).read_bytes()):
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130 and not (tmp_path / "o.jsonl").exists()
    assert err.splitlines()[0] == "error: interrupted; what was done is kept"
    assert f"edgener-runtime tag {bundle} '{source}' --out" in err and err.strip().endswith("--workers 1 --resume")


def test_a_disk_that_is_full_says_how_to_continue(
    bundle: Path, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise StorageError("cannot write x: No space left on device", "Free some space.")

    monkeypatch.setattr(command, "run_job", full)
    monkeypatch.setattr(sys, "argv", ["x", "tag", "b", "in.csv", "--out", "o.csv", "--overwrite"])
    done = run("tag", bundle, tmp_path / "in.csv", "--out", tmp_path / "o.csv")
    assert done.code == 1 and "No space left" in done.err
    assert "continue: edgener-runtime tag b in.csv --out o.csv --resume" in done.err


@pytest.mark.parametrize(
    ("device", "threads", "workers"), [("cpu", 1, 8), ("auto", 3, 2), ("cpu", 16, 1), ("cuda", 1, 1)]
)
def test_workers_by_default(device: str, threads: int, workers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "usable_cores", lambda: 8)
    assert command._default_workers(LoadOptions(device, "auto", threads, False)) == workers


def test_wrong_calls(bundle: Path, run: Run, tmp_path: Path) -> None:
    source = write_lines(tmp_path / "in.jsonl", [])
    assert "not both" in run("tag", bundle, source, "--out", "o", "--resume", "--overwrite").err
    assert "Missing option '--out'" in run("tag", bundle, source).err
    done = run("tag", tmp_path, source, "--out", tmp_path / "o.jsonl")
    assert done.code in (2, 5) and not (tmp_path / "o.jsonl.unfinished").exists()


def test_progress_says_rate_and_time_left() -> None:
    progress = TagProgress(total=1000, done=600, rows=40, earlier=200, started=time.perf_counter() - 20)
    assert describe(progress) == " 60%  40 rows  2 rows/s  20 s left"
    assert describe(TagProgress(0)).startswith("100%  0 rows")
    assert [duration(seconds) for seconds in (None, 3, 200, 3725)] == ["?", "3 s", "3 min 20 s", "1 h 02 min"]


def test_progress_is_silent_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    line = ProgressLine(sys.stderr)
    line.show(TagProgress(10))
    line.end()
    assert capsys.readouterr().err == ""

"""The suites' own machinery: one cause is reported once, and what is expensive is built once by all workers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BROKEN = """
import pytest

@pytest.fixture(scope="module")
def broken():
    raise OSError("the disk is full")

@pytest.fixture
def other():
    raise OSError("the disk is full")

@pytest.mark.parametrize("n", range(4))
def test_needs_it(broken, n): ...

def test_needs_another(other): ...
def test_needs_nothing(): ...
"""
COUNTING = """
import time
import pytest

def build(path):
    with open({count!r}, "a") as file:
        file.write("built\\n")
    {body}
    (path / "file").write_text("content")

@pytest.fixture(scope="session")
def made(build_once):
    return build_once("made", build)

@pytest.mark.parametrize("n", range(4))
def test_it_is_there(made, n):
    assert (made / "file").read_text() == "content"
"""

TIMING = """
import os, time
import pytest

pytestmark = pytest.mark.{mark}

@pytest.mark.parametrize("n", range(2))
def test_notes_when_it_runs(n):
    for step in ("begin", "end"):
        with open({log!r}, "a") as file:
            file.write("{mark} " + os.environ["PYTEST_XDIST_WORKER"] + " " + step + "\\n")
        time.sleep(0.3)
"""
FAILING = """
import pathlib
import pytest

@pytest.mark.{mark}
def test_passes_at_last() -> None:
    count = pathlib.Path({count!r})
    with count.open("a") as file:
        file.write("x")
    assert len(count.read_text()) == {passes}
"""


def run(folder: Path, **files: str) -> subprocess.CompletedProcess[str]:
    """A run of these test files with two workers, under the repository's conftest.py."""
    shutil.copy(ROOT / "conftest.py", folder)
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    words = [
        "-p",
        "xdist",
        "-p",
        "rerunfailures",
        "-n",
        "2",
        "--dist",
        "loadscope",
        "--no-loadscope-reorder",
        "-c",
        "/dev/null",
        "--rootdir",
        ".",
        "-ra",
    ]
    command = [sys.executable, "-m", "pytest", *words, "--basetemp", "base", "-p", "no:cacheprovider", "."]
    environment = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_a_broken_fixture_is_one_error_and_its_followers_name_it(tmp_path: Path) -> None:
    done = run(tmp_path, test_broken=BROKEN)
    assert done.returncode == 1
    assert "1 passed, 3 skipped, 2 errors" in done.stdout
    assert "its set-up failed, see test_broken.py::test_needs_it[0]" in done.stdout


def test_what_measures_time_runs_in_one_worker_one_after_the_other(tmp_path: Path) -> None:
    log = tmp_path / "log"
    timed, plain = TIMING.format(log=str(log), mark="timing"), TIMING.format(log=str(log), mark="compat")
    done = run(tmp_path, test_one=timed, test_other=plain, test_two=timed)
    assert done.returncode == 0 and "6 passed" in done.stdout, done.stdout
    lines = [line.split() for line in log.read_text().splitlines()]
    steps = [(worker, step) for mark, worker, step in lines if mark == "timing"]
    assert [step for _, step in steps] == ["begin", "end"] * 4
    workers = {worker for worker, _ in steps}
    assert len(workers) == 1 and {worker for mark, worker, _ in lines if mark == "compat"}.isdisjoint(workers)


def test_what_measures_time_runs_again_where_it_fails(tmp_path: Path) -> None:
    count = tmp_path / "count"
    done = run(tmp_path, test_timed=FAILING.format(count=str(count), mark="timing", passes=2))
    assert done.returncode == 0 and "1 passed" in done.stdout and "1 rerun" in done.stdout, done.stdout
    (tmp_path / "test_timed.py").unlink()
    done = run(tmp_path, test_faulty=FAILING.format(count=str(count), mark="timing", passes=99))
    assert done.returncode == 1 and "1 failed" in done.stdout and "2 rerun" in done.stdout, done.stdout
    (tmp_path / "test_faulty.py").unlink()
    done = run(tmp_path, test_plain=FAILING.format(count=str(count), mark="compat", passes=99))
    assert done.returncode == 1 and "rerun in" not in done.stdout, done.stdout


def test_two_workers_build_once(tmp_path: Path) -> None:
    count = tmp_path / "count"
    text = COUNTING.format(count=str(count), body="time.sleep(1)")
    done = run(tmp_path, test_one=text, test_two=text)
    assert done.returncode == 0 and "8 passed" in done.stdout, done.stdout
    assert count.read_text() == "built\n"


def test_a_build_that_fails_is_one_error_in_one_worker(tmp_path: Path) -> None:
    count = tmp_path / "count"
    text = COUNTING.format(count=str(count), body="time.sleep(1); raise OSError('the disk is full')")
    done = run(tmp_path, test_one=text, test_two=text)
    assert done.returncode == 1 and "7 skipped, 1 error" in done.stdout, done.stdout
    assert "made could not be built in another worker: OSError: the disk is full" in done.stdout
    assert count.read_text() == "built\n"


def test_recorded_counts_are_summed_up_and_printed(tmp_path: Path) -> None:
    text = """
import pytest

@pytest.mark.parametrize("n", range(3))
def test_kills(n, record_property):
    record_property("kills", 1000 + n)
    record_property("note", "not a count")

def test_fails(record_property):
    record_property("kills", 7)
    assert False
"""
    lines = run(tmp_path, test_counts=text).stdout.splitlines()
    assert "kills: 3,010" in lines and not any("note" in line for line in lines)

"""Threads by the load: how many, how they wait, who decides, and where the number is written down."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from click.testing import CliRunner

from edgener import threads as module
from edgener.cli.main import main
from edgener.data.types import Dataset
from edgener.threads import Threads, choose_threads, decide_threads, idle_cores, limit_pytorch
from edgener_runtime.errors import UserInputError
from edgener_runtime.machine.cpu import usable_cores

FRESH = """
import os, sys
from edgener import threads
threads.idle_cores = lambda: {idle}
threads.usable_cores = lambda: 8
print(threads.decide_threads(None), os.environ.get("OMP_WAIT_POLICY"), "torch" in sys.modules)
"""


@pytest.fixture(autouse=True)
def pytorch_keeps_its_threads() -> Iterator[None]:
    before = limit_pytorch(None)
    yield
    limit_pytorch(before)


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """`load(idle=1)` on a machine of 8 cores, where no variable decides."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(module, "usable_cores", lambda: 8)
    return lambda idle: monkeypatch.setattr(module, "idle_cores", lambda: idle)


@pytest.mark.parametrize(
    ("idle", "cores", "count", "passive"),
    [(2.0, 2, 2, False), (1.8, 2, 2, False), (1.2, 2, 1, True), (0.0, 2, 1, True), (61.0, 4, 4, False),
     (5.4, 8, 5, True), (0.9, 1, 1, False), (0.0, 1, 1, False)],
)  # fmt: skip
def test_threads_are_the_idle_cores_that_may_be_used(idle: float, cores: int, count: int, passive: bool) -> None:
    assert choose_threads(idle, cores) == Threads(count, cores, passive)


def test_the_load_is_measured() -> None:
    assert 0 <= idle_cores() <= (psutil.cpu_count() or 1)
    burning = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(psutil.cpu_count() or 1)]
    try:
        assert min(idle_cores() for _ in range(5)) < 0.5
    finally:
        for process in burning:
            process.kill()
            process.wait()


def test_the_load_decides_where_nothing_was_asked_for(
    load: Callable[[float], None], capsys: pytest.CaptureFixture[str]
) -> None:
    load(3.1)
    assert decide_threads(None) == 3
    assert capsys.readouterr().err == "threads: 3 of 8 cores: other processes use the rest\n"
    load(8.0)
    assert decide_threads(None) is None
    assert capsys.readouterr().err == "threads: 8 of 8 cores\n"


def test_who_asks_for_a_number_or_sets_the_variable_decides(
    load: Callable[[float], None], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    load(3.0)
    assert decide_threads(6) == 6 and decide_threads(8) == 8
    with pytest.raises(UserInputError, match="threads is 9, and this process may use 8 cores"):
        decide_threads(9)
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    assert decide_threads(None) is None and decide_threads(6) == 6
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("idle", "expected"), [(2.0, "2 passive False"), (8.0, "None None False")])
def test_idle_threads_sleep_on_a_busy_machine(idle: float, expected: str) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OMP_")}
    words = [sys.executable, "-c", FRESH.format(idle=idle)]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[0] == expected


def test_pytorch_gets_them() -> None:
    assert limit_pytorch(1) == 1 == limit_pytorch(None)
    assert limit_pytorch(2) == 2


# --- the commands


def run(*arguments: object) -> Any:
    done = CliRunner().invoke(main, [*map(str, arguments), "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.mark.parametrize("asked", sorted({1, usable_cores()}))
def test_evaluate_scores_with_the_threads_asked_for(asked: int, trained: Path, tmp_path: Path) -> None:
    (tmp_path / "some.txt").write_text("pump B-COMPONENT\nleaks O\n")
    run("evaluate", trained, "--data", tmp_path / "some.txt", "--threads", asked)
    assert limit_pytorch(None) == asked


def test_a_bundle_is_evaluated_with_the_threads_asked_for(
    exported: Path, small_factory: dict[str, Dataset], monkeypatch: pytest.MonkeyPatch
) -> None:
    from edgener.report import scores as evaluation

    seen: list[int] = []
    load = evaluation.TokenClassifier.load

    def noted(*arguments: Any) -> Any:
        classifier = load(*arguments)
        seen.append(classifier.tuning.threads)
        return classifier

    monkeypatch.setattr(evaluation.TokenClassifier, "load", noted)
    for threads in (None, usable_cores() + 1):
        evaluation.evaluate(exported, small_factory["valid"], "fp32", threads=threads)
    assert seen == [usable_cores(), usable_cores() + 1]


def test_export_writes_them_into_the_script_that_makes_the_bundle_again(
    trained: Path, small_data: Path, tmp_path: Path
) -> None:
    out, cores = tmp_path / "bundle", usable_cores()
    run("export", trained, "--data", small_data, "--out", out, "--variants", "fp32", "--threads", cores)
    assert f" --threads {cores} " in (out / "reproduce.sh").read_text()


@pytest.mark.parametrize("count", ["0", "9999"])
@pytest.mark.parametrize("command", ["train", "evaluate", "export"])
def test_no_threads_or_more_than_cores_are_a_wrong_call(
    command: str, count: str, trained: Path, tmp_path: Path
) -> None:
    words = [command, *([] if command == "train" else [str(trained)]), "--data", "builtin:factory", "--threads", count]
    done = CliRunner().invoke(main, [*words, *([] if command == "evaluate" else ["--out", str(tmp_path / "out")])])
    assert done.exit_code == 2 and "threads" in done.stderr

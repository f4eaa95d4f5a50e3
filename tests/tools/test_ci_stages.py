"""The run of continuous integration: it prints a table of all stages, and fails where one of them fails."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
BURN = "import time; any(iter(lambda: time.process_time() > 1.5, True))"
MAKEFILE = f"""
good:
	@echo "SKIPPED [2] tests/x.py:3: no GPU"
	@echo "=========== 40 passed, 2 skipped, 7 deselected in 3.21s ==========="
	@echo "3 passed, 1 skipped in 0.40s"
	@echo "a text of 5 passed, which is not a summary"
bad:
	@echo "== 1 failed, 4 passed in 12.00s (0:00:12) =="
	@exit 7
first second:
	@touch $@.here
	@until test -e first.here -a -e second.here; do sleep 0.05; done
	@echo "beginning of $@"; sleep 0.2; echo "end of $@"
busy:
	@{sys.executable} -c "{BURN}"
"""
Run = Callable[..., tuple[int, dict[str, list[str]], str]]


@pytest.fixture(scope="module")
def stages() -> Any:
    spec = importlib.util.spec_from_file_location("ci_stages", ROOT / "tools" / "ci_stages.py")
    assert spec and spec.loader
    module = sys.modules["ci_stages"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def make(tmp_path: Path) -> Sequence[str]:
    (tmp_path / "Makefile").write_text(MAKEFILE)
    return ("make", "-s", "-C", str(tmp_path))


@pytest.fixture
def run(stages: Any, make: Sequence[str], capfd: pytest.CaptureFixture[str]) -> Run:
    """`run("good", "bad")`: the exit code, the table by stage, and all that was printed."""

    def call(*names: str, beside: Sequence[str] = ()) -> tuple[int, dict[str, list[str]], str]:
        code, output = stages.main(names, beside, make), capfd.readouterr().out
        rows = [re.split(r"  +", line) for line in output.partition("stage  ")[2].splitlines()[1:]]
        return code, {row[0]: row[1:] for row in rows if len(row) == len(stages.COLUMNS)}, output

    return call


def test_counts_are_added_up_and_the_reasons_of_skips_repeated(run: Run) -> None:
    code, rows, output = run("good", "good")
    assert code == 0
    assert rows["good"][2:] == ["43", "3", "ok"] and rows["all"][2:] == ["86", "6", "ok"]
    assert output.count("\ngood: SKIPPED [2] tests/x.py:3: no GPU") == 2


def test_after_a_stage_that_failed_the_others_run_and_the_run_fails(run: Run) -> None:
    code, rows, _ = run("bad", "good", beside=("bad", "busy"))
    assert code == 2  # make's own
    assert rows["bad"][2:] == ["4", "0", "failed (2)"] and rows["all"][-1] == "failed (2)"
    assert rows["good"][-1] == rows["busy"][-1] == "ok"


def test_stages_run_beside_each_other_and_their_outputs_are_not_mixed(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    code, rows, output = run("good", beside=("first", "second"))
    assert code == 0 and rows["first"][-1] == rows["second"][-1] == "ok"
    assert all(f"beginning of {name}\nend of {name}\n" in output for name in ("first", "second"))
    assert float(rows["all"][0]) < sum(float(rows[name][0]) for name in ("good", "first", "second")) + 0.1


def test_a_stage_that_does_not_exist_fails(run: Run) -> None:
    code, rows, _ = run("nothing")
    assert code == 2 and rows["nothing"][-1] == "failed (2)"


def test_the_cpu_time_of_a_stage_is_that_of_its_processes(stages: Any, make: Sequence[str]) -> None:
    busy, idle = stages.Stage("busy"), stages.Stage("good")
    for stage in (busy, idle):
        stages.run(stage, make)
    assert busy.cpu * 60 > 1.4 and busy.wall * 60 > 1.4 and idle.cpu * 60 < 1


def test_every_suite_is_a_stage_and_every_stage_a_target(stages: Any) -> None:
    targets = re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    suites = {target for target in targets if target.startswith("test")}
    assert suites <= set(stages.STAGES) <= set(targets)

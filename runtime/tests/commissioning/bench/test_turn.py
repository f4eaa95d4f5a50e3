"""A target's process may end in any way; its rows say how, and earlier measurements stay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgener_runtime.base.serde import to_dict
from edgener_runtime.commissioning.bench.cases import CaseState
from edgener_runtime.commissioning.bench.plan import BenchTarget
from edgener_runtime.commissioning.bench.results.record import Case
from edgener_runtime.commissioning.bench.results.samples import pack
from edgener_runtime.commissioning.bench.time_budget import TimeBudget
from edgener_runtime.commissioning.bench.turn import Turn

from .conftest import PlantWorker
from .test_record import ROUND

MADE = to_dict(replace(ROUND, samples=pack(np.ones(10))))


def measured(case: int) -> str:
    """The code that reports a round."""
    return f"report(event='measured', case={case}, round={MADE!r})"


def after_turn(target: BenchTarget, folder: Path, number: int = 1) -> Sequence[CaseState]:
    """Two cases after a turn of their target."""
    cases = [Case(target.variant, "cpu", 1, scenario, "w") for scenario in ("single-stream", "offline")]
    entries = [CaseState(case, target, 0) for case in cases]
    Turn(target, entries, 0.02, TimeBudget()).run("builtin", folder / "works.json", folder / "gold.json", number)
    return entries


@pytest.mark.parametrize(
    ("end", "why"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", "was killed (SIGKILL), as the system does where memory runs out"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "its process crashed (SIGSEGV)"),
        ("raise ValueError('a fault')", "its process ended with code 1: ValueError: a fault"),
        ("sys.exit(7)", "its process ended with code 7: no output"),
        ("report(event='failed', case=None, kind='DeviceError', message='no memory', hint=None)", "no memory"),
    ],
)
def test_an_end_is_the_reason_of_all_its_rows(end: str, why: str, plant_worker: PlantWorker, tmp_path: Path) -> None:
    entries = after_turn(plant_worker(f"loaded()\n{end}"), tmp_path)
    assert all(why in entry.why_not and not entry.is_open for entry in entries)
    row = entries[0].row("budget")
    assert (row.status, row.ended_by, row.provider, row.library) == ("not run", "failed", "P", "L 1")
    assert why in row.reason


def test_a_module_that_is_not_there_is_reported(plant_worker: PlantWorker, tmp_path: Path) -> None:
    entries = after_turn(replace(plant_worker("pass"), module="no_such_worker"), tmp_path)
    assert "No module named 'no_such_worker'" in entries[0].why_not


def test_what_was_measured_before_a_crash_stays(plant_worker: PlantWorker, tmp_path: Path) -> None:
    target = plant_worker(f"loaded()\n{measured(0)}\nos.abort()")
    done, crashed = after_turn(target, tmp_path)
    assert len(done.rounds) == 1 and not crashed.rounds
    assert (done.row("budget").status, crashed.row("budget").status) == ("partial", "not run")


def test_a_case_that_fails_takes_no_other_with_it(plant_worker: PlantWorker, tmp_path: Path) -> None:
    failed = "report(event='failed', case=0, kind='DeviceError', message='no rate stays within the bound', hint=None)"
    one, other = after_turn(plant_worker(f"loaded()\n{failed}\n{measured(1)}"), tmp_path)
    assert (one.why_not, other.why_not) == ("no rate stays within the bound", "")
    assert other.row("budget").status == "measured"


def test_scores_are_asked_for_in_the_first_round_alone(plant_worker: PlantWorker, tmp_path: Path) -> None:
    scored = "loaded()\nif job['gold']: report(event='scored', workload=0, f1=0.5)"
    target = plant_worker(scored)
    assert [entry.f1 for entry in after_turn(target, tmp_path, 0)] == [0.5, 0.5]
    assert [entry.f1 for entry in after_turn(target, tmp_path, 1)] == [None, None]


def test_what_a_process_leaves_behind_lies_where_it_is_removed(plant_worker: PlantWorker, tmp_path: Path) -> None:
    after_turn(plant_worker("import tempfile\ntempfile.mkdtemp(prefix='left-')\nos.abort()"), tmp_path)
    assert len(list(tmp_path.glob("left-*"))) == 1


def test_the_environment_is_inherited(
    plant_worker: PlantWorker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLANTED", "yes")
    entries = after_turn(plant_worker("sys.exit(os.environ['PLANTED'])"), tmp_path)
    assert "yes" in entries[0].why_not

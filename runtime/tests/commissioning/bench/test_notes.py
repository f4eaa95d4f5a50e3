"""Notes on what makes a machine's speed vary, for synthetic machines."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edgener_runtime.commissioning.bench.metering import notes as module
from edgener_runtime.commissioning.bench.metering.notes import boost, governor, machine_notes

from .trees import CPU, JETSON, plant, thread

Machine = Callable[..., Path]
HELD = {f"{CPU}/cpufreq/policy0/scaling_governor": "performance", f"{CPU}/cpufreq/boost": "0"}
BATTERY = "sys/class/power_supply/BAT0/status"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """`machine(files)` is a root of two cores whose clocks are held, and these files."""
    monkeypatch.setattr(module, "allowed_cores", lambda: frozenset({0, 1}))
    cores = thread(0, "0", 0) | thread(1, "1", 1)
    return lambda files: plant(tmp_path, cores | HELD | files)


def test_a_machine_that_holds_still_has_no_notes(machine: Machine) -> None:
    assert machine_notes(machine({"proc/loadavg": "0.10 0.20 0.30 1/99 1", BATTERY: "Charging"})) == ()


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({f"{CPU}/cpufreq/policy0/scaling_governor": "powersave"}, "the governor is powersave: the clock follows"),
        ({f"{CPU}/cpufreq/policy4/scaling_governor": "schedutil"}, "the governor is performance+schedutil"),
        ({f"{CPU}/cpufreq/boost": "1"}, "boost is on"),
        (thread(0, "0,1", 0) | thread(1, "0,1", 0), "threads of one core are in use together: 0,1"),
        ({"sys/fs/cgroup/cpu.max": "150000 100000"}, "a container's limit of 1.5 cores halts"),
        ({BATTERY: "Discharging"}, "it runs on battery"),
        ({"proc/loadavg": "1.45 0.20 0.30 1/99 1"}, "the load average was 1.45 at the start"),
    ],
)
def test_what_makes_it_vary_is_noted(machine: Machine, files: dict[str, object], says: str) -> None:
    (note,) = machine_notes(machine(files))
    assert note.startswith(says)


def test_one_thread_of_a_core_alone_is_not_noted(machine: Machine) -> None:
    assert machine_notes(machine(thread(0, "0,2", 0) | thread(1, "1,3", 1))) == ()


def test_a_machine_that_reports_nothing_says_so(tmp_path: Path) -> None:
    assert [note[:29] for note in machine_notes(tmp_path)] == ["neither governor nor boost is"]


def test_a_board_reports_its_power_mode_and_its_free_clocks(tmp_path: Path) -> None:
    notes = machine_notes(plant(tmp_path, JETSON))
    assert "the power mode is MAXN_SUPER (nvpmodel -q)" in notes
    assert "clocks follow the load: cpu-policy0 (jetson_clocks holds them)" in notes


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, None),
        ({f"{CPU}/cpufreq/boost": "1"}, True),
        ({f"{CPU}/cpufreq/boost": "0"}, False),
        ({f"{CPU}/intel_pstate/no_turbo": "0"}, True),
        ({f"{CPU}/intel_pstate/no_turbo": "1"}, False),
        ({f"{CPU}/cpufreq/boost": "what"}, None),
    ],
)
def test_boost_is_reported_by_whichever_driver(tmp_path: Path, files: dict[str, object], expected: bool | None) -> None:
    assert boost(plant(tmp_path, files)) is expected


def test_a_governor_that_is_unknown_is_none(tmp_path: Path) -> None:
    assert governor(tmp_path) is None


def test_this_machine_can_be_asked() -> None:
    assert all(isinstance(note, str) for note in machine_notes())

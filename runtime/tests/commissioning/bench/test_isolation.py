"""Pinning, watching and marking: on synthetic machines, and with a process that really is in the way."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from edgener_runtime.commissioning.bench.metering import isolation as module
from edgener_runtime.commissioning.bench.metering.counters import allowed_cores, cpu_time
from edgener_runtime.commissioning.bench.metering.isolation import Watch, marks, pin
from edgener_runtime.commissioning.bench.results.record import Isolation, Round

from .test_counters import BUSY
from .trees import CPU, plant, proc_stat, thread

pytestmark = pytest.mark.timing

HERE = Path("/")
LONG_ENOUGH = 0.35  # seconds
QUIET = Isolation(2.0, others=0.02, stolen=0.0, throttled=0, celsius=50.0)


def rounds(*isolation: Isolation) -> list[Round]:
    return [Round("2026-01-01T00:00:00+00:00", 0.2, 3.0, 0.5, 1.0, 10, 200, 1.0, "", each) for each in isolation]


@pytest.fixture
def affinity() -> Iterator[frozenset[int]]:
    """The cores of the tests, to which they return."""
    before = allowed_cores()
    if not before:
        pytest.skip("this system has no affinity")
    yield before
    os.sched_setaffinity(0, before)


@pytest.fixture
def four_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A root of two cores with two threads each; what is set stays here."""
    monkeypatch.setattr(module, "allowed_cores", lambda: frozenset(range(4)))
    monkeypatch.setattr(os, "sched_setaffinity", lambda process, cores: None, raising=False)
    topology = [thread(core, siblings, core // 2) for core, siblings in enumerate(["0-1", "0-1", "2-3", "2-3"])]
    return plant(tmp_path, {name: text for files in topology for name, text in files.items()})


def test_children_stay_on_the_pinned_cores(affinity: frozenset[int]) -> None:
    chosen = pin(1)
    assert len(chosen) == 1 and set(chosen) <= affinity
    code = "import os; print(*os.sched_getaffinity(0))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.split() == [
        str(chosen[0])
    ]


def test_never_more_than_allowed(affinity: frozenset[int]) -> None:
    assert set(pin(len(affinity) + 5)) == affinity
    assert len(pin(0)) == 1


def test_threads_of_one_core_come_last(four_threads: Path) -> None:
    assert [pin(count, four_threads) for count in (1, 2, 3)] == [(0,), (0, 2), (0, 1, 2)]


def test_cores_of_most_capacity_come_first(four_threads: Path) -> None:
    plant(four_threads, {f"{CPU}/cpu{core}/cpu_capacity": capacity for core, capacity in enumerate((430, 430, 1024))})
    assert pin(1, four_threads) == (2,)


def test_a_system_without_affinity_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "allowed_cores", frozenset)
    assert pin(1) == ()


def watched(root: Path, before: str, after: str, seconds: float = LONG_ENOUGH) -> Isolation:
    """The isolation of a round during which /proc/stat went from one to the other."""
    plant(root, {"proc/stat": before})
    with Watch(root) as watch:
        time.sleep(seconds)
        plant(root, {"proc/stat": after})
    return watch.isolation


def test_others_are_reported_in_cores(four_threads: Path) -> None:
    found = watched(four_threads, proc_stat((0, 0, 0), (0, 0, 0)), proc_stat((35, 0, 0), (35, 0, 0)))
    assert found.others is not None and 0.2 < found.others <= 2.0  # 0.7 seconds in 0.35, or in more on a busy machine
    assert found.stolen == 0
    assert found.reference_ms > 0


def test_a_quiet_round_is_reported_as_such(four_threads: Path) -> None:
    isolation = watched(four_threads, proc_stat((500, 0, 9)), proc_stat((500, 35, 9)))
    assert (isolation.others, isolation.stolen) == (0, 0)
    assert marks(rounds(isolation, isolation)) == ()


def test_what_is_stolen_is_a_share_of_what_was_demanded(four_threads: Path) -> None:
    found = watched(four_threads, proc_stat((0, 0, 0), (0, 0, 0)), proc_stat((30, 5, 10), (0, 35, 0)))
    assert found.stolen == pytest.approx(0.25)


def test_too_short_a_round_shows_nothing_of_others(four_threads: Path) -> None:
    found = watched(four_threads, proc_stat((0, 0, 0)), proc_stat((35, 0, 0)), seconds=0)
    assert (found.others, found.stolen) == (None, None)


def test_slowing_down_is_counted_within_the_round(four_threads: Path) -> None:
    file = f"{CPU}/cpu0/thermal_throttle/core_throttle_count"
    plant(
        four_threads,
        {file: 7, "sys/class/thermal/thermal_zone0/type": "cpu", "sys/class/thermal/thermal_zone0/temp": 61_000},
    )
    with Watch(four_threads) as watch:
        plant(four_threads, {file: 9})
    assert (watch.isolation.throttled, watch.isolation.celsius) == (2, 61.0)


def test_a_machine_that_reports_nothing_still_has_its_reference_workload(tmp_path: Path) -> None:
    with Watch(tmp_path) as watch:
        pass
    assert watch.isolation == Isolation(watch.isolation.reference_ms)
    assert marks(rounds(watch.isolation, watch.isolation)) == ()


@pytest.mark.skipif(cpu_time(HERE, allowed_cores()) is None, reason="this machine has no /proc/stat")
@pytest.mark.skipif(os.name != "posix", reason="started by a shell")
def test_a_process_that_is_in_the_way_is_found() -> None:
    """Not a child of ours: its shell has ended. It ends by itself."""
    started = 'exec "$0" -c "$1" >/dev/null 2>&1 &'
    subprocess.run(["sh", "-c", started, sys.executable, BUSY.format(seconds=1.5)], check=True)
    time.sleep(0.2)
    with Watch() as watch:
        time.sleep(0.6)
    found = marks(rounds(watch.isolation, QUIET))
    assert any(mark.startswith("busy: other processes used ") for mark in found)


@pytest.mark.parametrize(
    ("disturbed", "mark"),
    [
        (replace(QUIET, others=0.83), "busy: other processes used 0.8 cores in 2 of 7 rounds"),
        (replace(QUIET, stolen=0.031), "busy: the hypervisor took 3% of the CPU's time in 2 of 7 rounds"),
        (replace(QUIET, throttled=4), "throttled: the CPU slowed down, or a limit halted it, 8 times in 2 of 7 rounds"),
        (
            replace(QUIET, reference_ms=2.2),
            "drifting: the reference workload took +10% against the median in 2 of 7 rounds",
        ),
        (
            replace(QUIET, reference_ms=1.8),
            "drifting: the reference workload took -10% against the median in 2 of 7 rounds",
        ),
    ],
)
def test_what_disturbs_is_marked_with_its_figures(disturbed: Isolation, mark: str) -> None:
    assert marks(rounds(*[QUIET] * 5, disturbed, disturbed)) == (mark,)


@pytest.mark.parametrize(
    "isolation", [replace(QUIET, others=0.1), replace(QUIET, stolen=0.02), replace(QUIET, reference_ms=2.09)]
)
def test_what_every_machine_does_is_not_marked(isolation: Isolation) -> None:
    assert marks(rounds(QUIET, QUIET, QUIET, isolation)) == ()


def test_a_single_round_is_marked() -> None:
    assert marks(rounds(QUIET)) == ("one round: the spread between processes is unknown",)


def test_no_rounds_have_no_marks() -> None:
    assert marks([]) == ()


@pytest.mark.skipif(cpu_time(HERE, allowed_cores()) is None, reason="this machine has no /proc/stat")
def test_reading_the_counters_costs_next_to_nothing() -> None:
    used = time.process_time()
    for _ in range(20):
        cpu_time(HERE, allowed_cores())
    assert (time.process_time() - used) / 20 < 0.005

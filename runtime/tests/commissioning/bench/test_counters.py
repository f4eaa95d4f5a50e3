"""Counters of synthetic kernels, and of this one if it has them."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from edgener_runtime.commissioning.bench.metering.counters import (
    allowed_cores,
    celsius,
    cpu_time,
    own_seconds,
    throttled,
)

from .trees import CPU, plant, proc_stat, thread

pytestmark = pytest.mark.timing

HERE = Path("/")
BUSY = "import time\nend = time.monotonic() + {seconds}\nwhile time.monotonic() < end: pass"


def test_only_the_cores_that_may_be_used_count(tmp_path: Path) -> None:
    plant(tmp_path, {"proc/stat": proc_stat((100, 900, 0), (300, 700, 50), (5000, 0, 5000))})
    found = cpu_time(tmp_path, {0, 1})
    assert found is not None and (found.used, found.stolen) == (4.0, 0.5)


def test_a_guest_is_not_counted_twice(tmp_path: Path) -> None:
    plant(tmp_path, {"proc/stat": "cpu0 100 0 0 900 0 0 0 0 100 0"})
    found = cpu_time(tmp_path, {0})
    assert found is not None and found.used == 1.0


def test_counts_of_old_kernels_are_read(tmp_path: Path) -> None:
    plant(tmp_path, {"proc/stat": "cpu0 100 0 0 900 0 0 0 0"})
    assert cpu_time(tmp_path, {0}) is not None


@pytest.mark.parametrize("read", [lambda root: cpu_time(root, {0}), throttled, celsius])
def test_what_is_unknown_is_none(tmp_path: Path, read: object) -> None:
    assert read(tmp_path) is None  # type: ignore[operator]


def test_running_children_and_theirs_are_our_own(tmp_path: Path) -> None:
    parts = "S 1 1 1 0 -1 0 0 0 0 0 {} 50 25 25 20 0 1 0 100"
    files = {
        "proc/self/task/1/children": "20",
        "proc/20/stat": f"20 (a (b) c) {parts.format(100)}",
        "proc/20/task/20/children": "30",
        "proc/30/stat": f"30 (d) {parts.format(200)}",
    }
    before = own_seconds(tmp_path)
    assert own_seconds(plant(tmp_path, files)) - before == pytest.approx(5.0, abs=0.5)


def lists_children() -> bool:
    return any(Path("/proc/self/task").glob("*/children"))


@pytest.mark.skipif(not lists_children(), reason="this kernel does not list a process's children")
def test_a_child_counts_while_it_runs_and_after() -> None:
    before = own_seconds(HERE)
    with subprocess.Popen([sys.executable, "-c", BUSY.format(seconds=600)]) as child:
        while (running := own_seconds(HERE)) < before + 0.2 and child.poll() is None:
            time.sleep(0.01)
        child.kill()
    assert before + 0.2 <= running <= own_seconds(HERE) < before + 5


def test_a_core_and_a_package_count_once_though_their_threads_all_report(tmp_path: Path) -> None:
    files: dict[str, object] = {}
    for core, (siblings, core_id, count) in enumerate([("0,1", 0, 3), ("0,1", 0, 3), ("2", 1, 4)]):
        files |= thread(core, siblings, core_id)
        files[f"{CPU}/cpu{core}/thermal_throttle/core_throttle_count"] = count
        files[f"{CPU}/cpu{core}/thermal_throttle/package_throttle_count"] = 10
    assert throttled(plant(tmp_path, files)) == 17


@pytest.mark.parametrize("file", ["cpu.stat", "cpu/cpu.stat"])
def test_a_containers_limit_that_halts_is_counted(tmp_path: Path, file: str) -> None:
    plant(tmp_path, {f"sys/fs/cgroup/{file}": "nr_periods 12\nnr_throttled 5\nthrottled_usec 99"})
    assert throttled(tmp_path) == 5


def test_over_current_events_of_a_jetson_are_counted(tmp_path: Path) -> None:
    assert throttled(plant(tmp_path, {f"sys/class/hwmon/hwmon4/oc{n}_event_cnt": n for n in (1, 2, 3)})) == 6


def test_the_hottest_sensor_of_the_cpu_is_reported(tmp_path: Path) -> None:
    files = {
        "sys/class/hwmon/hwmon0/name": "coretemp",
        "sys/class/hwmon/hwmon0/temp1_input": 51_000,
        "sys/class/hwmon/hwmon0/temp2_input": 54_500,
        "sys/class/hwmon/hwmon1/name": "nvme",
        "sys/class/hwmon/hwmon1/temp1_input": 70_000,
        "sys/class/thermal/thermal_zone0/type": "cpu-thermal",
        "sys/class/thermal/thermal_zone0/temp": 53_000,
        "sys/class/thermal/thermal_zone1/type": "iwlwifi_1",
        "sys/class/thermal/thermal_zone1/temp": 80_000,
    }
    assert celsius(plant(tmp_path, files)) == 54.5


@pytest.mark.skipif(cpu_time(HERE, allowed_cores()) is None, reason="this machine has no /proc/stat")
def test_this_machine_is_read() -> None:
    first = cpu_time(HERE, allowed_cores())
    second = cpu_time(HERE, allowed_cores())
    assert first and second and 0 < first.used <= second.used and 0 < first.own <= second.own

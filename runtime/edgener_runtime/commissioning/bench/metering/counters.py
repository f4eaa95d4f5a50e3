"""The kernel's counters of CPU time, throttling and temperature; each is None where the kernel does not have it."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from edgener_runtime.machine.probe.jetson import temperatures
from edgener_runtime.machine.probe.reading import listed, read_number, read_text

_IDLE = (3, 4)  # idle, iowait; see proc_stat(5), /proc/stat
_STOLEN = 7
_GUESTS = 8  # on from here: counted in user and nice already
_OWN = slice(11, 15)  # utime, stime, and both of children that have ended; after the name in /proc/PID/stat
_CPU_SENSORS = ("coretemp", "k10temp", "zenpower", "cpu_thermal")
_CPU_ZONE = re.compile(r"cpu|pkg|soc|tj|core", re.IGNORECASE)
# Counts of processes halted by a container's limit, in cgroups of version 2 and 1.
_CPU_STATS = ("cpu.stat", "cpu/cpu.stat")


@dataclass(frozen=True)
class CpuTime:
    """Seconds since an arbitrary moment: used on some cores, taken from them by a hypervisor, and used by this process
    and its children."""

    used: float
    stolen: float
    own: float


def allowed_cores() -> frozenset[int]:
    """Numbers of the cores that this process may run on; empty if the system has no affinity."""
    return frozenset(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else frozenset()


def cpu_time(root: Path, cores: Collection[int]) -> CpuTime | None:
    """The time of these cores until now. `root` contains /proc."""
    ticks = [parts for name, *parts in _cpu_lines(root) if name.isdecimal() and int(name) in cores]
    if not ticks:
        return None
    counts = [[int(part) for part in parts[:_GUESTS]] for parts in ticks]
    used = sum(sum(count) - sum(count[kind] for kind in _IDLE) - count[_STOLEN] for count in counts)
    return CpuTime(used / _ticks(), sum(count[_STOLEN] for count in counts) / _ticks(), own_seconds(root))


def own_seconds(root: Path) -> float:
    """CPU seconds of this process and its children; of the running ones from /proc."""
    spent = os.times()
    ended = spent.children_user + spent.children_system
    return time.process_time() + ended + sum(map(_process_seconds, _children(root, "self")))


def throttled(root: Path) -> int | None:
    """How often until now the CPU slowed down for heat or current, or a container's limit halted its processes.

    This includes a Jetson's over-current events, which were not read on a Jetson yet.
    """
    cgroup = root / "sys" / "fs" / "cgroup"
    halted = re.search(r"nr_throttled (\d+)", next(filter(None, (read_text(cgroup / name) for name in _CPU_STATS)), ""))
    found = [*_throttle_counts(root / "sys" / "devices" / "system" / "cpu"), *_over_current(root)]
    found += [int(halted[1])] if halted else []
    return sum(found) if found else None


def celsius(root: Path) -> float | None:
    """The temperature of the CPU's hottest sensor in degrees Celsius."""
    sensors = [
        file
        for folder in listed(root / "sys" / "class" / "hwmon", "hwmon*")
        if read_text(folder / "name") in _CPU_SENSORS
        for file in listed(folder, "temp*_input")
    ]
    found = [degrees / 1000 for degrees in map(read_number, sensors) if degrees is not None]
    found += [zone.celsius for zone in temperatures(root) if _CPU_ZONE.search(zone.zone)]
    return max(found, default=None)


def _cpu_lines(root: Path) -> Iterator[list[str]]:
    """The number of each core with its counts; the line of all cores has an empty number."""
    for line in read_text(root / "proc" / "stat").splitlines():
        if line.startswith("cpu"):
            yield line.removeprefix("cpu").split(" ")


def _ticks() -> int:
    return os.sysconf("SC_CLK_TCK")


def _children(root: Path, process: str) -> Iterator[Path]:
    """Folders of all descendants of a process, if the kernel lists them."""
    for file in listed(root / "proc" / process / "task", "*/children"):
        for child in read_text(file).split():
            yield root / "proc" / child
            yield from _children(root, child)


def _process_seconds(folder: Path) -> float:
    """CPU seconds of a process; 0 if it has ended in the meantime."""
    parts = read_text(folder / "stat").rpartition(")")[2].split()
    return sum(map(int, parts[_OWN])) / _ticks()


def _throttle_counts(cpus: Path) -> Iterator[int]:
    """One count per core, whose threads all show it, and one per package."""
    counts: dict[tuple[str, ...], int] = {}
    for cpu in listed(cpus, "cpu[0-9]*"):
        package, core = (read_text(cpu / "topology" / name) for name in ("physical_package_id", "core_id"))
        for name, unit in (("core", (package, core)), ("package", (package,))):
            count = read_number(cpu / "thermal_throttle" / f"{name}_throttle_count")
            if count is not None:
                counts[unit] = count
    yield from counts.values()


def _over_current(root: Path) -> Iterator[int]:
    for file in listed(root / "sys" / "class" / "hwmon", "hwmon*/oc*_event_cnt"):
        if (count := read_number(file)) is not None:
            yield count

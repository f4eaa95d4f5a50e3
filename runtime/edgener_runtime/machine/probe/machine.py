"""The CPU and the memory, and how much of them this process may use."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path

from edgener_runtime.base.memory import memory_left
from edgener_runtime.machine.cpu import cgroup_quota, cpu_model, isa, usable_cores

from .reading import is_here, read_number, read_text

# Entries of /proc/cpuinfo that only one architecture has, for copies of another machine's files.
_MARKS = {"CPU implementer": "aarch64", "vendor_id": "x86_64"}
_MEMORY_LIMITS = ("memory.max", "memory/memory.limit_in_bytes")  # of cgroups, version 2 and 1
_NO_LIMIT = 1 << 60  # version 1 has a number near 2**63 where there is none


@dataclass(frozen=True)
class Cpu:
    """Architecture, model, instruction sets that matter here (`+` between them), cores, and the cgroup's cores.

    `usable` is what affinity and cgroup leave of the cores; None in a copy of another machine's files.
    """

    architecture: str
    model: str
    isa: str
    cores: int
    usable: int | None
    limit: float | None


@dataclass(frozen=True)
class Memory:
    """Bytes there are, bytes left to this process, and the cgroup's limit, each None where it is unknown."""

    total: int | None
    left: int | None
    limit: int | None


def cpu(root: Path) -> Cpu:
    """The CPU; `root` holds /proc and /sys."""
    info, here = read_text(root / "proc" / "cpuinfo"), is_here(root)
    cores = sum(line.startswith("processor") for line in info.splitlines())
    return Cpu(
        architecture=platform.machine() if here else _architecture(info),
        model=cpu_model(root),
        isa=isa(root),
        cores=os.cpu_count() or 1 if here else cores,
        usable=usable_cores(root) if here else None,
        limit=cgroup_quota(root),
    )


def memory(root: Path) -> Memory:
    """The memory, which a Jetson's CPU and GPU share; `root` holds /proc and /sys."""
    lines = read_text(root / "proc" / "meminfo").splitlines()
    total = next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemTotal:")), None)
    limits = [read_number(root / "sys" / "fs" / "cgroup" / name) for name in _MEMORY_LIMITS]
    limit = next((found for found in limits if found is not None and found < _NO_LIMIT), None)
    return Memory(total, memory_left(root), limit)


def _architecture(info: str) -> str:
    return next((name for mark, name in _MARKS.items() if mark in info), "unknown")

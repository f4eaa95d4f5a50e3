"""The CPU: cores that this process may use, and the instruction sets that INT8 and BF16 products depend on."""

from __future__ import annotations

import math
import os
from pathlib import Path

# Flags of /proc/cpuinfo that decide which kernels run; x86-64 names first, then arm64's.
_ISA_FLAGS = ("avx2", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8", "asimddp", "i8mm", "sve")


def usable_cores(root: Path = Path("/")) -> int:
    """Cores this process may use: the CPU affinity, cut to the cgroup's quota; at least 1. `root` holds /sys."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = cgroup_quota(root)
    return max(1, min(allowed, math.ceil(quota))) if quota else allowed


def isa(root: Path = Path("/")) -> str:
    """The CPU's instruction sets that matter here, joined by `+`, or `unknown`. `root` holds /proc."""
    flags = _cpu_info(root, ("flags", "Features")).split()
    return "+".join(flag for flag in _ISA_FLAGS if flag in flags) or "unknown"


def cpu_model(root: Path = Path("/")) -> str:
    """The CPU's name (x86-64) or implementer's part number (arm64), or `unknown`. `root` holds /proc."""
    return _cpu_info(root, ("model name", "CPU part")) or "unknown"


def _cpu_info(root: Path, names: tuple[str, ...]) -> str:
    """The value of the first line of /proc/cpuinfo that begins with one of these names."""
    try:
        lines = (root / "proc" / "cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(names)), "")


def cgroup_quota(root: Path = Path("/")) -> float | None:
    """Cores by the CPU bandwidth controller (version 2, then 1), or None where there is no limit. `root` holds /sys."""
    folder = root / "sys" / "fs" / "cgroup"
    try:
        quota, period = (folder / "cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            quota, period = ((folder / "cpu" / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
        except OSError:
            return None
    return int(quota) / int(period) if quota.strip().isdecimal() and int(period) else None

"""Memory that a process uses and may still use, so that too little memory is an error and not a killed process."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from edgener_runtime.errors import DeviceError

_MMAP_THRESHOLD = -3  # of glibc's malloc.h


def memory_left(root: Path = Path("/")) -> int | None:
    """Bytes left by the tightest of the machine, the cgroups (version 2, then 1) and RLIMIT_AS; None if all unknown.

    `root` holds /proc and /sys.
    """
    found = [*_machine(root / "proc"), *_cgroup(root / "sys" / "fs" / "cgroup"), *_address_space(root / "proc")]
    return max(0, min(found)) if found else None


def require_memory(needed: int, what: str) -> None:
    """Raise DeviceError where fewer than `needed` bytes for `what` are known to be left."""
    left = memory_left()
    if left is not None and left < needed:
        raise DeviceError(
            f"{what} takes about {needed / 1e6:.0f} MB of memory, {left / 1e6:.0f} MB are left",
            "Free some memory, or raise the limit of this process (ulimit -v, the container's memory).",
        )


def resident(root: Path = Path("/")) -> int | None:
    """Bytes of this process in memory, or None where it is unknown. `root` holds /proc."""
    pages = _read(root / "proc" / "self" / "statm").split()
    return int(pages[1]) * os.sysconf("SC_PAGE_SIZE") if pages else None


def peak_resident(root: Path = Path("/")) -> int | None:
    """The peak of this process's bytes in memory, or None where it is unknown. `root` holds /proc."""
    for line in _read(root / "proc" / "self" / "status").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    try:
        import resource
    except ImportError:  # Windows has none
        return None
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # on Linux the parent's, where that is more
    return most if sys.platform == "darwin" else most * 1024  # kilobytes on Linux


def _machine(proc: Path) -> Iterator[int]:
    """What the kernel can give without swapping."""
    for line in _read(proc / "meminfo").splitlines():
        if line.startswith("MemAvailable:"):
            yield int(line.split()[1]) * 1024


def _cgroup(folder: Path) -> Iterator[int]:
    """The limit minus the usage; pages of files do not count, as they can be dropped."""
    for limit, usage, stat, cache in (
        ("memory.max", "memory.current", "memory.stat", "inactive_file"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "memory/memory.stat", "total_inactive_file"),
    ):
        most, used = _read(folder / limit).strip(), _read(folder / usage).strip()
        if most.isdecimal() and used.isdecimal():
            counts = dict(line.split() for line in _read(folder / stat).splitlines() if line.count(" ") == 1)
            yield int(most) - int(used) + int(counts.get(cache, 0))
            return


def _address_space(proc: Path) -> Iterator[int]:
    try:
        import resource
    except ImportError:  # Windows has none
        return
    most, _ = resource.getrlimit(resource.RLIMIT_AS)
    pages = _read(proc / "self" / "statm").split()
    if most != resource.RLIM_INFINITY and pages:
        yield most - int(pages[0]) * os.sysconf("SC_PAGE_SIZE")


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""


def map_large_blocks() -> None:
    """Let glibc take blocks of 1 MiB and more, such as weights, from the system one by one, and return each when freed.

    Left alone it does so only until the first one is freed. Later ones then share the heap with small blocks, and
    memory grows with each load of a model. Other C libraries have no such setting.
    """
    import ctypes  # takes milliseconds of a start that loads no model

    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # musl and macOS have none, Windows no library without a name
        return
    mallopt(_MMAP_THRESHOLD, 1 << 20)

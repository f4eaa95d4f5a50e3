"""Made-up files of /proc and /sys, by their path below the root."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

CPU = "sys/devices/system/cpu"


def plant(root: Path, files: Mapping[str, object]) -> Path:
    """Write these files, and give the root."""
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"{text}\n")
    return root


def proc_stat(*cores: tuple[int, int, int]) -> str:
    """/proc/stat of cores that were used, idle and stolen for so many ticks each."""
    lines = [f"cpu{number} {used} 0 0 {idle} 7 0 0 {stolen} 0 0" for number, (used, idle, stolen) in enumerate(cores)]
    return "\n".join(["cpu  1 2 3 4 5 6 7 8 9 10", *lines, "intr 5 6", "ctxt 7"])


def thread(core: int, siblings: str, core_id: int, package: int = 0) -> dict[str, object]:
    """Where a core stands."""
    folder = f"{CPU}/cpu{core}/topology"
    return {
        f"{folder}/thread_siblings_list": siblings,
        f"{folder}/core_id": core_id,
        f"{folder}/physical_package_id": package,
    }

"""Synthetic files of /proc and /sys, by their path below the root."""

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


# An Orin Nano, of whose files runtime/tests/machine/probe/boards.py has more, with what the bench asks of one.
_MONITOR = "sys/bus/i2c/devices/1-0040"
_CLOCKS = "sys/devices/system/cpu/cpufreq/policy0/scaling_{}_freq"
VOLTS, AMPERES = 5.016, 0.880  # of its input rail
JETSON: dict[str, object] = {
    "proc/cpuinfo": "processor\t: 0\nFeatures\t: fp asimddp\nCPU implementer\t: 0x41\nCPU part\t: 0xd42",
    "proc/device-tree/model": "NVIDIA Jetson Orin Nano",
    "proc/device-tree/compatible": "nvidia,p3767-0005\0nvidia,tegra234\0",
    "etc/nv_tegra_release": "# R36 (release), REVISION: 4.3, GCID: 1, BOARD: generic, EABI: aarch64",
    "etc/nvpmodel.conf": "< POWER_MODEL ID=0 NAME=15W >\n< POWER_MODEL ID=2 NAME=MAXN_SUPER >",
    "var/lib/nvpmodel/status": "pmode:0002",
    "sys/module/nvidia/version": "540.4.0",
    f"{_MONITOR}/name": "ina3221",
    f"{_MONITOR}/hwmon/hwmon1/in1_label": "VDD_IN",
    f"{_MONITOR}/hwmon/hwmon1/in1_input": round(1000 * VOLTS),
    f"{_MONITOR}/hwmon/hwmon1/curr1_input": round(1000 * AMPERES),
    **{_CLOCKS.format(name): clock for name, clock in (("cur", 729_600), ("min", 115_200), ("max", 1_728_000))},
}

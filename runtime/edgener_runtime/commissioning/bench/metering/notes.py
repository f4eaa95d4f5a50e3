"""Notes on a machine that make its speed vary, collected before the measurement."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from edgener_runtime.machine.cpu import cgroup_quota
from edgener_runtime.machine.probe.jetson import jetson
from edgener_runtime.machine.probe.reading import HERE, listed, read_text

from .counters import allowed_cores

_CPU = Path("sys", "devices", "system", "cpu")
_BUSY_LOAD = 0.5


def machine_notes(root: Path = HERE) -> tuple[str, ...]:
    """Reasons why this machine's speed may vary, one per line. `root` contains /proc, /sys and /etc."""
    return tuple(note for topic in (_clock, _cores, _jetson, _power, _others) for note in topic(root))


def governor(root: Path) -> str | None:
    """The CPU's frequency governor; different ones of several cores are joined by `+`."""
    policies = listed(root / _CPU / "cpufreq", "policy*")
    found = {read_text(policy / "scaling_governor") for policy in policies}
    return "+".join(sorted(found - {""})) or None


def boost(root: Path) -> bool | None:
    """Whether the CPU may boost above its sustained clock."""
    switches = {
        read_text(root / _CPU / "cpufreq" / "boost"): {"1": True, "0": False},
        read_text(root / _CPU / "intel_pstate" / "no_turbo"): {"0": True, "1": False},
    }
    return next((meaning[text] for text, meaning in switches.items() if text in meaning), None)


def _clock(root: Path) -> Iterator[str]:
    chosen, boosts = governor(root), boost(root)
    if chosen and chosen != "performance":
        yield f"the governor is {chosen}: the clock follows the load (cpupower frequency-set -g performance holds it)"
    if boosts:
        yield "boost is on: the clock depends on heat and on how many cores are in use"
    if chosen is None and boosts is None:
        yield "neither governor nor boost is visible, as in most virtual machines: the clock may vary unseen"


def _cores(root: Path) -> Iterator[str]:
    shared = {siblings for siblings, of_them in _siblings(root).items() if of_them > 1}
    if shared:
        yield f"threads of one core are in use together: {', '.join(sorted(shared))}"
    if limit := cgroup_quota(root):
        yield f"a container's limit of {limit:g} cores halts processes that use more"


def _siblings(root: Path) -> dict[str, int]:
    """Lists of the threads of one core, and how many of each this process may use."""
    counts: dict[str, int] = {}
    for core in allowed_cores():
        if siblings := read_text(root / _CPU / f"cpu{core}" / "topology" / "thread_siblings_list"):
            counts[siblings] = counts.get(siblings, 0) + 1
    return counts


def _jetson(root: Path) -> Iterator[str]:
    board = jetson(root)
    if board is None:
        return
    yield f"the power mode is {board.power_mode or 'unknown'} (nvpmodel -q)"
    if free := [clock.name for clock in board.clocks if clock.least < clock.most]:
        yield f"clocks follow the load: {', '.join(free)} (jetson_clocks holds them)"


def _power(root: Path) -> Iterator[str]:
    supplies = listed(root / "sys" / "class" / "power_supply", "*")
    if any(read_text(supply / "status") == "Discharging" for supply in supplies):
        yield "it runs on battery"


def _others(root: Path) -> Iterator[str]:
    load = re.match(r"\d+\.\d+", read_text(root / "proc" / "loadavg"))
    if load and float(load[0]) > _BUSY_LOAD:
        yield f"the load average was {load[0]} at the start"

"""A Jetson by its system files: model, chip, release, power mode, rails, DLA cores, clocks and temperatures.

Not run on a Jetson yet: tests make such files as boards are known to have them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from .platforms import SOCS, jetpack_of
from .power import Rail, read_rails
from .reading import is_here, listed, read_number, read_text

_DEVICE_TREES = ("proc/device-tree", "sys/firmware/devicetree/base")  # the first is a link to the second
_RELEASE = re.compile(r"R(\d+) \(release\), REVISION: ([\d.]+)")
_MODE = re.compile(r"pmode:0*(\d+)")
_DEFAULT_MODE = re.compile(r"<\s*PM_CONFIG DEFAULT=(\d+)\s*>")
_QUERIED = re.compile(r"NV Power Mode: (\S+)")
_GPU_CLOCK = re.compile(r".+\.(gpu|ga10b|gv11b|gp10b)|gpu-(gpc|nvd)-\d+")


@dataclass(frozen=True)
class Clock:
    """A clock now, and the least and most that it may take, in hertz."""

    name: str
    now: int
    least: int
    most: int


@dataclass(frozen=True)
class Temperature:
    """Degrees Celsius of a thermal zone."""

    zone: str
    celsius: float


@dataclass(frozen=True)
class Jetson:
    """A Jetson as its system files describe it; what they do not have is None or empty.

    `soc` is as in the device tree (`tegra234`), `l4t` the release of Jetson Linux (`36.4.3`), `dla_cores` those that
    the kernel shows.
    """

    model: str
    soc: str | None
    compute_capability: str | None
    l4t: str | None
    jetpack: str | None
    power_mode: str | None
    dla_cores: int
    rails: tuple[Rail, ...]
    clocks: tuple[Clock, ...]
    temperatures: tuple[Temperature, ...]


def jetson(root: Path = Path("/")) -> Jetson | None:
    """The Jetson whose files are below `root`, or None where they are another machine's."""
    l4t, soc = _l4t(root), _soc(root)
    if not l4t and not soc:
        return None
    return Jetson(
        model=_device_tree(root, "model") or "unknown",
        soc=soc,
        compute_capability=SOCS[soc].compute_capability if soc else None,
        l4t=l4t,
        jetpack=jetpack_of(l4t) if l4t else None,
        power_mode=_power_mode(root),
        dla_cores=len(listed(root / "sys" / "bus" / "platform" / "devices", "*.nvdla[0-9]")),
        rails=read_rails(root),
        clocks=tuple(_clocks(root)),
        temperatures=temperatures(root),
    )


def _device_tree(root: Path, name: str) -> str:
    return next(filter(None, (read_text(root / tree / name) for tree in _DEVICE_TREES)), "")


def _soc(root: Path) -> str | None:
    """The chip among the NUL-separated names of what the board is compatible with, the most exact first."""
    names = [name.removeprefix("nvidia,") for name in _device_tree(root, "compatible").split("\0")]
    return next((name for name in names if name in SOCS), None)


def _l4t(root: Path) -> str | None:
    found = _RELEASE.search(read_text(root / "etc" / "nv_tegra_release"))
    return f"{found[1]}.{found[2]}" if found else None


def _power_mode(root: Path) -> str | None:
    """By nvpmodel's files, which any user may read: the mode that was set, or the default."""
    modes = read_text(root / "etc" / "nvpmodel.conf")
    chosen = _MODE.search(read_text(root / "var" / "lib" / "nvpmodel" / "status")) or _DEFAULT_MODE.search(modes)
    if not chosen:
        return _queried_power_mode() if is_here(root) else None
    named = re.search(rf"<\s*POWER_MODEL ID={chosen[1]} NAME=(\S+)\s*>", modes)
    return named[1] if named else chosen[1]


def _queried_power_mode() -> str | None:
    import subprocess

    try:  # wherever the PATH has it
        done = subprocess.run(["nvpmodel", "-q"], capture_output=True, text=True, timeout=5, check=False)  # noqa: S607
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = _QUERIED.search(done.stdout)
    return found[1] if found else None


def _clocks(root: Path) -> list[Clock]:
    """The clocks of the GPU, in /sys in hertz, and of the CPU's clusters, in kilohertz."""
    gpu = [folder for folder in listed(root / "sys" / "class" / "devfreq", "*") if _GPU_CLOCK.fullmatch(folder.name)]
    cpu = listed(root / "sys" / "devices" / "system" / "cpu" / "cpufreq", "policy*")
    found = [_clock(folder, folder.name, ("cur_freq", "min_freq", "max_freq"), 1) for folder in gpu]
    scaling = ("scaling_cur_freq", "scaling_min_freq", "scaling_max_freq")
    found += [_clock(folder, f"cpu-{folder.name}", scaling, 1000) for folder in cpu]
    return [clock for clock in found if clock]


def _clock(folder: Path, name: str, files: tuple[str, str, str], unit: int) -> Clock | None:
    now, least, most = (read_number(folder / file) for file in files)
    if now is None or least is None or most is None:
        return None
    return Clock(name, now * unit, least * unit, most * unit)


def temperatures(root: Path) -> tuple[Temperature, ...]:
    """The temperature of every thermal zone, on any board; zones of parts that are off are omitted."""
    zones = listed(root / "sys" / "class" / "thermal", "thermal_zone*")
    found = [(read_text(zone / "type"), read_number(zone / "temp")) for zone in zones]
    return tuple(Temperature(name, degrees / 1000) for name, degrees in found if name and degrees is not None)

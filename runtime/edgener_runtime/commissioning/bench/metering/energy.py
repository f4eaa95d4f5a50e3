"""Energy meters of this machine: counters of the CPU or GPU, and a board's power monitors.

Nothing here is estimated from a model of the machine. RAPL, a Jetson's monitors and NVML were not read on such
hardware yet: tests use files as the kernel's documentation describes them, and a double of NVML.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from edgener_runtime.machine.devices import CPU
from edgener_runtime.machine.probe.power import read_watts
from edgener_runtime.machine.probe.reading import HERE, is_here, listed, read_number, read_text

_NONE = "not measurable here"
_UNTRIED = "; not read on such a device yet"
_MICRO, _MILLI = 1e-6, 1e-3
_MOVES_WITHIN = 0.25  # seconds; RAPL counts every millisecond
_BETWEEN_READINGS = 0.2  # seconds


class Meter(Protocol):
    """A meter of energy."""

    def joules(self) -> float | None:
        """Joules since an arbitrary moment, never decreasing; None once the meter cannot be read."""


def find_meter(root: Path = HERE, provider: str = CPU) -> tuple[Meter | None, str]:
    """The meter for a model that `provider` runs, and its name with its scope; or None and the reason.

    `root` contains /sys.
    """
    if read_watts(root) is not None:
        name = f"power monitors of the board, an average of readings every {_BETWEEN_READINGS:g} s{_UNTRIED}"
        return Monitors(lambda: read_watts(root)), name
    return _rapl(root) if provider == CPU else _nvml(root)


class Counters:
    """Counters in files that wrap around at their range, after minutes; they must be read more often."""

    def __init__(self, folders: list[Path]) -> None:
        self._ranges = {folder / "energy_uj": read_number(folder / "max_energy_range_uj") or 0 for folder in folders}
        self._last = {file: read_number(file) for file in self._ranges}
        self._total: int | None = 0

    def joules(self) -> float | None:
        """The sum of all counters since this object was made."""
        for file, last in self._last.items():
            now = read_number(file)
            if now is None or last is None or self._total is None:
                self._total = None
                break
            self._total += now - last if now >= last else now - last + self._ranges[file]
            self._last[file] = now
        return None if self._total is None else self._total * _MICRO


class Monitors:
    """Integrates watts that a thread of its own reads a few times per second, until it is closed."""

    def __init__(self, read: Callable[[], float | None], every: float = _BETWEEN_READINGS) -> None:
        self._read, self._every = read, every
        self._lock, self._closed = threading.Lock(), threading.Event()
        self._at, self._watts = time.perf_counter(), read()
        self._total = 0.0
        threading.Thread(target=self._go_on, daemon=True).start()

    def joules(self) -> float | None:
        """The integral, with the energy since the last reading."""
        with self._lock:
            now, watts = time.perf_counter(), self._read()
            if watts is None or self._watts is None:
                self._watts = None
                return None
            self._total += (now - self._at) * (watts + self._watts) / 2
            self._at, self._watts = now, watts
            return self._total

    def close(self) -> None:
        """End its thread."""
        self._closed.set()

    def _go_on(self) -> None:
        while not self._closed.wait(self._every) and self.joules() is not None:
            pass


class Nvml:
    """The GPU's own counter, for everything that uses the GPU; not run on a GPU yet."""

    def __init__(self, library: Any, gpu: Any) -> None:
        self._library, self._gpu = library, gpu

    def joules(self) -> float | None:
        """Since the driver was loaded (Volta and later)."""
        try:
            return float(self._library.nvmlDeviceGetTotalEnergyConsumption(self._gpu)) * _MILLI
        except self._library.NVMLError:
            return None


def _rapl(root: Path) -> tuple[Meter | None, str]:
    """Counters of CPU packages, from Intel or AMD."""
    zones = listed(root / "sys" / "class" / "powercap", "intel-rapl:*")
    packages = [zone for zone in zones if read_text(zone / "name").startswith("package")]
    if not packages:
        return None, f"{_NONE}: no RAPL counters (/sys/class/powercap) and no power monitors of a board"
    if any(read_number(package / "energy_uj") is None for package in packages):
        return None, (
            f"{_NONE}: only root can read RAPL's counters; "
            "allow all users until the next boot: sudo chmod a+r /sys/class/powercap/intel-rapl:*/energy_uj"
        )
    meter = Counters(packages)
    if not _moves(meter):
        return None, f"{_NONE}: RAPL's counters do not move, as in virtual machines"
    return meter, f"RAPL, {len(packages)} CPU package{'s' * (len(packages) > 1)} with all that runs on them{_UNTRIED}"


def _moves(meter: Counters) -> bool:
    deadline = time.perf_counter() + _MOVES_WITHIN
    while time.perf_counter() < deadline:
        if meter.joules():
            return True
        time.sleep(0.01)
    return False


def _nvml(root: Path) -> tuple[Meter | None, str]:
    """The counter of the only GPU, if it has one."""
    if not is_here(root):
        return None, f"{_NONE}: a copy of another machine's files has no GPU"
    try:
        import pynvml
    except ImportError:
        return None, f"{_NONE}: the GPU's counter is read through a package: pip install nvidia-ml-py"
    try:
        pynvml.nvmlInit()
        if (count := pynvml.nvmlDeviceGetCount()) != 1:  # NVML numbers them in another order than CUDA
            return None, f"{_NONE}: which of {count} GPUs runs the model is unknown"
        gpu = pynvml.nvmlDeviceGetHandleByIndex(0)
        meter, name = Nvml(pynvml, gpu), pynvml.nvmlDeviceGetName(gpu)
    except pynvml.NVMLError as error:
        return None, f"{_NONE}: NVML fails: {error}"
    if meter.joules() is None:
        return None, f"{_NONE}: {name} has no counter of energy"
    return meter, f"NVML, {name} without the CPU{_UNTRIED}"

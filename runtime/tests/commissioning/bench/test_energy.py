"""Meters of synthetic machines: counters that wrap, do not move or may not be read, a board's monitors, and a GPU's.

None was read on such hardware yet; NVML is a double that answers as its documentation says.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from itertools import chain, repeat
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edgener_runtime.commissioning.bench.metering import energy as module
from edgener_runtime.commissioning.bench.metering.energy import Counters, Monitors, find_meter

from .trees import AMPERES, JETSON, VOLTS, plant

pytestmark = pytest.mark.timing

ZONE = "sys/class/powercap/intel-rapl:{}"
GPU = "CUDAExecutionProvider"
RANGE = 262_143_328_850


def package(number: int, microjoules: int, name: str = "package") -> dict[str, object]:
    """A counter of RAPL."""
    zone = ZONE.format(number)
    return {f"{zone}/name": f"{name}-{number}", f"{zone}/energy_uj": microjoules, f"{zone}/max_energy_range_uj": RANGE}


def counters(root: Path, *numbers: int) -> Counters:
    return Counters([root / ZONE.format(number) for number in numbers])


@pytest.fixture
def moving(tmp_path: Path) -> Iterator[Path]:
    """A root with two packages that use energy, and RAPL's other zones, until the test ends."""
    plant(tmp_path, package(0, 5_000_000) | package(1, 7_000_000) | package(2, 1, "psys"))
    core = f"{ZONE.format('0:0')}"
    plant(tmp_path, {f"{core}/name": "core", f"{core}/energy_uj": 3})
    over = threading.Event()

    def use() -> None:
        microjoules = 5_000_000
        while not over.wait(0.005):
            microjoules += 50_000
            replacement = tmp_path / "now"
            replacement.write_text(f"{microjoules}\n")
            replacement.replace(tmp_path / ZONE.format(0) / "energy_uj")

    thread = threading.Thread(target=use)
    thread.start()
    yield tmp_path
    over.set()
    thread.join()


def test_packages_are_added_up(tmp_path: Path) -> None:
    plant(tmp_path, package(0, 5_000_000) | package(1, 7_000_000))
    meter = counters(tmp_path, 0, 1)
    assert meter.joules() == 0
    plant(tmp_path, package(0, 6_500_000) | package(1, 7_250_000))
    assert meter.joules() == pytest.approx(1.75)
    assert meter.joules() == pytest.approx(1.75)


def test_a_counter_that_begins_anew_goes_on(tmp_path: Path) -> None:
    plant(tmp_path, package(0, RANGE - 1_000_000))
    meter = counters(tmp_path, 0)
    plant(tmp_path, package(0, 2_000_000))
    assert meter.joules() == pytest.approx(3.0)
    plant(tmp_path, package(0, 2_500_000))
    assert meter.joules() == pytest.approx(3.5)


def test_a_counter_that_goes_away_is_not_a_measurement(tmp_path: Path) -> None:
    meter = counters(plant(tmp_path, package(0, 1_000_000)), 0)
    (tmp_path / ZONE.format(0) / "energy_uj").unlink()
    assert meter.joules() is None
    plant(tmp_path, package(0, 9_000_000))
    assert meter.joules() is None  # what was used meanwhile is not known


def test_rapl_is_found_by_its_packages(moving: Path) -> None:
    meter, name = find_meter(moving)
    assert name == "RAPL, 2 CPU packages with all that runs on them; not read on such a device yet"
    before = meter.joules() if meter else None
    assert before is not None
    time.sleep(0.05)
    assert meter and (meter.joules() or 0) > before


def test_a_counter_that_does_not_move_is_not_measurable(tmp_path: Path) -> None:
    meter, why = find_meter(plant(tmp_path, package(0, 5_000_000)))
    assert (meter, why) == (None, "not measurable here: RAPL's counters do not move, as in virtual machines")


def test_a_counter_that_may_not_be_read_says_how_to_open_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = Path.read_text

    def refuse(self: Path, **how: Any) -> str:
        if self.name == "energy_uj":
            raise PermissionError(13, "Permission denied", str(self))
        return read(self, **how)

    plant(tmp_path, package(0, 5_000_000))
    monkeypatch.setattr(Path, "read_text", refuse)
    meter, why = find_meter(tmp_path)
    assert meter is None and "only root can read" in why and "sudo chmod a+r /sys/class/powercap" in why


def test_a_machine_without_any_says_so(tmp_path: Path) -> None:
    meter, why = find_meter(tmp_path)
    assert meter is None and why.startswith("not measurable here: no RAPL counters")


@pytest.mark.parametrize("provider", ["CPUExecutionProvider", GPU, "TensorRT"])
def test_a_boards_monitors_take_in_all_that_runs(tmp_path: Path, provider: str) -> None:
    meter, name = find_meter(plant(tmp_path, JETSON), provider)
    assert isinstance(meter, Monitors) and "average of readings" in name and "not read on such a device yet" in name
    start, first = time.perf_counter(), meter.joules()
    time.sleep(0.3)
    second, seconds = meter.joules(), time.perf_counter() - start
    meter.close()
    assert first is not None and second is not None
    assert 0.299 <= (second - first) / (VOLTS * AMPERES) <= seconds + 0.001  # seconds that it was drawn


def test_watts_are_read_while_nobody_asks() -> None:
    """4 W, then 2 W: what was drawn in between is not lost."""
    readings: Iterator[float] = chain([4.0] * 5, repeat(2.0))
    seen: list[float] = []

    def read() -> float:
        seen.append(next(readings))
        return seen[-1]

    meter = Monitors(read, every=0.01)
    deadline = time.perf_counter() + 5
    while len(seen) < 10 and time.perf_counter() < deadline:
        time.sleep(0.01)
    meter.close()
    assert len(seen) >= 10


def test_energy_is_watts_over_the_time_they_were_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 2.0, 3.0])
    watts = iter([4.0, 4.0, 2.0])
    monkeypatch.setattr(module, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    meter = Monitors(lambda: next(watts), every=60)
    assert [meter.joules(), meter.joules()] == [8.0, 11.0]
    meter.close()


def test_monitors_that_fall_silent_are_not_a_measurement() -> None:
    watts: Iterator[float | None] = iter([4.0, 4.0, None, 4.0])
    meter = Monitors(lambda: next(watts), every=60)
    assert meter.joules() is not None
    assert [meter.joules(), meter.joules()] == [None, None]
    meter.close()


class NVMLError(Exception):
    """The base of what NVML raises."""


def nvml(monkeypatch: pytest.MonkeyPatch, gpus: int = 1, energy: Callable[[], int] = lambda: 5000) -> None:
    """A double of nvidia-ml-py with so many GPUs."""
    double: Any = SimpleNamespace(
        NVMLError=NVMLError,
        nvmlInit=lambda: None,
        nvmlDeviceGetCount=lambda: gpus,
        nvmlDeviceGetHandleByIndex=lambda index: index,
        nvmlDeviceGetName=lambda gpu: "NVIDIA L4",
        nvmlDeviceGetTotalEnergyConsumption=lambda gpu: energy(),
    )
    monkeypatch.setitem(sys.modules, "pynvml", double)
    monkeypatch.setattr(module, "read_watts", lambda root: None)


def fail() -> int:
    raise NVMLError("Not Supported")


def test_a_gpus_counter_is_in_joules(monkeypatch: pytest.MonkeyPatch) -> None:
    nvml(monkeypatch)
    meter, name = find_meter(provider=GPU)
    assert meter is not None and meter.joules() == 5.0
    assert name == "NVML, NVIDIA L4 without the CPU; not read on such a device yet"


@pytest.mark.parametrize(
    ("gpus", "energy", "says"),
    [
        (1, fail, "NVIDIA L4 has no counter of energy"),
        (2, lambda: 1, "which of 2 GPUs runs the model is unknown"),
        (0, lambda: 1, "which of 0 GPUs runs the model is unknown"),
    ],
)
def test_a_gpu_that_does_not_report_says_why(
    monkeypatch: pytest.MonkeyPatch, gpus: int, energy: Callable[[], int], says: str
) -> None:
    nvml(monkeypatch, gpus, energy)
    assert find_meter(provider=GPU) == (None, f"not measurable here: {says}")


def test_a_driver_that_is_not_there_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    nvml(monkeypatch)
    monkeypatch.setattr(sys.modules["pynvml"], "nvmlInit", fail)
    assert find_meter(provider=GPU) == (None, "not measurable here: NVML fails: Not Supported")


def test_a_package_that_is_not_there_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    nvml(monkeypatch)
    monkeypatch.setitem(sys.modules, "pynvml", None)
    meter, why = find_meter(provider=GPU)
    assert meter is None and "pip install nvidia-ml-py" in why


def test_a_copy_has_no_gpu_to_ask(tmp_path: Path) -> None:
    meter, why = find_meter(tmp_path, GPU)
    assert meter is None and "a copy of another machine's files" in why

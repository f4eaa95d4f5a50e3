"""The CUDA driver's answers; no GPU was at hand: synthetic drivers, compiled here, speak the interface of cuda.h."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edgener_runtime.base.serde import from_json, to_json
from edgener_runtime.machine.probe import cuda
from edgener_runtime.machine.probe.cuda import CudaDriver, Gpu, cuda_driver

pytestmark = pytest.mark.compat

compiler = shutil.which("cc") or shutil.which("gcc")
needs_compiler = pytest.mark.skipif(compiler is None, reason="no C compiler here to make a driver with")

# INIT: what cuInit answers; COUNT: how many GPUs; NAMED: what cuDeviceGetName answers.
SYNTHETIC = """
#include <stddef.h>
#include <string.h>
int cuDriverGetVersion(int *version) { *version = 12060; return 0; }
#ifndef NO_INIT
int cuInit(unsigned flags) { return flags ? 1 : INIT; }
#endif
int cuDeviceGetCount(int *count) { *count = COUNT; return 0; }
int cuDeviceGet(int *device, int ordinal) { *device = ordinal + 40; return ordinal < COUNT ? 0 : 101; }
int cuDeviceGetName(char *name, int length, int device) {
    strncpy(name, device == 40 ? "Orin (nvgpu)" : "NVIDIA L4", length); return NAMED;
}
int cuDeviceTotalMem_v2(size_t *bytes, int device) { *bytes = (size_t)device << 30; return 0; }
int cuDeviceGetAttribute(int *value, int attribute, int device) {
    *value = attribute == 75 ? 8 : attribute == 76 ? (device == 40 ? 7 : 9) : -1; return 0;
}
"""
ORIN = Gpu("Orin (nvgpu)", "8.7", 40 << 30)
L4 = Gpu("NVIDIA L4", "8.9", 41 << 30)

Make = Callable[..., str]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """`make(INIT=100)` compiles a driver and gives its path."""

    def compile_driver(source: str = SYNTHETIC, **defined: int) -> str:
        file = tmp_path / "libcuda.so.1"
        (tmp_path / "driver.c").write_text(source)
        names = {"INIT": 0, "COUNT": 1, "NAMED": 0} | defined
        options = [f"-D{name}={value}" for name, value in names.items()]
        subprocess.run([str(compiler), "-shared", "-fPIC", *options, "-o", file, tmp_path / "driver.c"], check=True)
        return str(file)

    return compile_driver


@pytest.fixture(autouse=True)
def all_visible(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


@needs_compiler
@pytest.mark.parametrize(("count", "gpus"), [(1, (ORIN,)), (2, (ORIN, L4))])
def test_gpus_are_reported_with_name_capability_and_memory(count: int, gpus: tuple[Gpu, ...], make: Make) -> None:
    assert cuda_driver(make(COUNT=count)) == CudaDriver("12.6", gpus, None)


@needs_compiler
@pytest.mark.parametrize(
    ("defined", "why"),
    [
        ({"INIT": 100}, "the driver finds no device"),
        ({"COUNT": 0}, "the driver finds no device"),
        ({"INIT": 35}, "the driver failed with error 35 (the driver is older than the CUDA it is used with)"),
        ({"INIT": 7}, "the driver failed with error 7"),
        ({"NAMED": 101}, "the driver failed with error 101 in cuDeviceGetName"),
        ({"NO_INIT": 1}, "the CUDA driver has no cuInit: it is too old, or not a driver"),
    ],
)
def test_a_driver_that_fails_is_reported_with_its_version(defined: dict[str, int], why: str, make: Make) -> None:
    assert cuda_driver(make(**defined)) == CudaDriver("12.6", (), why)


@needs_compiler
def test_hidden_devices_are_reported(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert cuda_driver(make(INIT=100)).why == "the driver finds no device (CUDA_VISIBLE_DEVICES is '-1')"


@needs_compiler
def test_a_library_that_is_not_a_driver_is_reported(make: Make) -> None:
    driver = cuda_driver(make("int other(void) { return 0; }"))
    assert (driver.version, driver.gpus) == (None, ())
    assert driver.why == "the CUDA driver has no cuInit: it is too old, or not a driver"


def test_a_driver_that_is_not_installed_is_reported() -> None:
    missing = "libcuda-that-there-is-not.so.1"
    assert cuda_driver(missing) == CudaDriver(None, (), f"no CUDA driver ({missing}) is installed")


def test_a_file_that_is_not_a_library_is_reported(tmp_path: Path) -> None:
    (tmp_path / "libcuda.so.1").write_bytes(b"not a library")
    driver = cuda_driver(str(tmp_path / "libcuda.so.1"))
    assert driver.gpus == () and driver.why and driver.why.startswith("the CUDA driver cannot be loaded: ")


def test_a_missing_library_of_the_driver_is_not_a_missing_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise OSError("libnvrm_gpu.so: cannot open shared object file: No such file or directory")

    monkeypatch.setattr("ctypes.CDLL", missing)
    assert (cuda_driver().why or "").startswith("the CUDA driver cannot be loaded: libnvrm_gpu.so")


def test_the_version_is_reported_where_it_can_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    """A double of ctypes' library, as no compiler is at hand on every machine that runs these tests."""
    double: Any = SimpleNamespace(cuDriverGetVersion=lambda version: 1, cuInit=lambda flags: 100)
    monkeypatch.setattr("ctypes.CDLL", lambda name: double)
    assert cuda_driver() == CudaDriver(None, (), "the driver finds no device")


@pytest.mark.parametrize("driver", [CudaDriver("13.0", (ORIN, L4), None), CudaDriver(None, (), "no driver")])
def test_it_stays_itself_through_json(driver: CudaDriver) -> None:
    assert from_json(CudaDriver, to_json(driver), "driver") == driver


def test_this_machine_bears_the_question() -> None:
    driver = cuda_driver()
    assert bool(driver.gpus) == (driver.why is None)


@pytest.mark.gpu
@pytest.mark.skipif(not cuda_driver().gpus, reason=f"no GPU: {cuda_driver().why}")
def test_a_real_gpu_has_a_capability_and_memory() -> None:
    assert all(float(gpu.compute_capability) >= 3 and gpu.memory > 1 << 28 for gpu in cuda_driver().gpus)


def test_the_library_is_the_drivers_own() -> None:
    assert cuda.LIBRARY == "libcuda.so.1"

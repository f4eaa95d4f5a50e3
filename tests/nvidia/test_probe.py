"""The probe in environments with NVIDIA's real packages and without a GPU: what it reports as missing is missing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgener_runtime.machine.probe.cuda import cuda_driver

from .conftest import VERSIONS, Environment

DRIVER = cuda_driver().why
PROGRAM = """
from edgener_runtime.machine.probe.record import probe
from edgener_runtime.base.serde import to_json
print(to_json(probe()))
"""
pytestmark = [
    pytest.mark.environment,
    pytest.mark.skipif(DRIVER is None, reason="there is a GPU here; this is about what is said without one"),
]

Find = Callable[[str], Environment]


def missing_in(environment: Environment, device: str, **variables: str) -> tuple[str, ...]:
    """What the probe, run there, reports as missing for a device."""
    done = environment.run("-c", PROGRAM, **variables)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return next(tuple(provider["missing"]) for provider in found["providers"] if provider["name"] == device)


@pytest.mark.parametrize("version", VERSIONS)
def test_bindings_alone_miss_the_libraries_that_python_reports(version: str, environment: Find) -> None:
    bare = environment(f"bindings-{version}")
    driver, libraries = missing_in(bare, "tensorrt")
    assert driver == DRIVER
    major = version.partition(".")[0]
    for name in ("libnvinfer", "libnvinfer_plugin", "libnvonnxparser"):
        assert f"{name}.so.{major}" in libraries
    complaint = bare.run("-c", "import tensorrt_bindings").stderr
    assert complaint.rpartition("ImportError: ")[2].partition(":")[0] in libraries


@pytest.mark.parametrize("version", VERSIONS)
def test_with_libraries_the_driver_alone_is_missing(version: str, environment: Find, stub: Path) -> None:
    assert missing_in(environment(f"bindings-{version}"), "tensorrt", LD_LIBRARY_PATH=str(stub)) == (DRIVER,)


def test_tensorrt_for_rtx_brings_its_libraries(environment: Find) -> None:
    assert missing_in(environment("rtx"), "tensorrt") == (DRIVER,)


@pytest.mark.parametrize(
    ("device", "names"),
    [("cuda", ("libcublas.so.", "libcublasLt.so.")), ("tensorrt-ort", ("libnvinfer.so.10",))],
)
def test_onnxruntime_for_gpus_misses_what_its_providers_need(
    device: str, names: tuple[str, ...], environment: Find
) -> None:
    missing = missing_in(environment("ort-gpu"), device, LD_LIBRARY_PATH="")
    assert missing[0] == DRIVER
    assert [name for name in names if name not in missing[-1]] == []

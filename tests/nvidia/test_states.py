"""Machines where TensorRT is half installed, or its GPU is missing: real packages, each state a clear error.

The bindings of TensorRT are NVIDIA's own; over the stub of the libraries they load, and every factory makes nothing,
as it is without a usable driver.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import VERSIONS, Environment

pytestmark = pytest.mark.environment

Find = Callable[[str], Environment]
LOAD = """
from edgener_runtime.errors import ProviderError
from edgener_runtime.backends.tensorrt.backend import load_backend, make
from edgener_runtime.backends.tensorrt.logger import make_logger
try:
    trt = load_backend({name!r}, needs_gpu={needs_gpu})
    print("loaded", trt.__version__)
    make(trt.Builder, make_logger(trt, print))
    print("made a builder")
except ProviderError as error:
    print(error)
"""


def output_of(environment: Environment, name: str = "tensorrt", needs_gpu: bool = False, **variables: str) -> str:
    done = environment.run("-c", LOAD.format(name=name, needs_gpu=needs_gpu), **variables)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("version", VERSIONS)
def test_bindings_without_libraries(version: str, environment: Find) -> None:
    output = output_of(environment(f"bindings-{version}"))
    library = {"10.3.0": "libnvinfer.so.10", "10.13.3.9": "libnvinfer.so.10", "10.16.1.11": "libnvonnxparser.so.10"}
    assert "TensorRT cannot be loaded: its bindings are installed and its libraries are not" in output
    assert library.get(version, "libnvonnxparser.so.11") in output
    assert 'pip install "tensorrt' in output


@pytest.mark.parametrize("version", VERSIONS)
def test_a_factory_that_makes_nothing(version: str, environment: Find, stub: Path) -> None:
    output = output_of(environment(f"bindings-{version}"), LD_LIBRARY_PATH=str(stub))
    assert f"loaded {version}\nTensorRT makes no Builder: " in output
    assert "factory function returned nullptr\nSee what this machine has: edgener-runtime devices" in output


def test_no_tensorrt_at_all(environment: Find) -> None:
    output = output_of(environment("rtx"))
    assert "TensorRT cannot be loaded: this Python has no module tensorrt" in output


def test_rtx_without_a_gpu_is_whole(environment: Find) -> None:
    assert output_of(environment("rtx"), "tensorrt-rtx") == "loaded 1.7.1.116\nmade a builder\n"


@pytest.mark.parametrize(("name", "package"), [("tensorrt", "bindings-10.3.0"), ("tensorrt-rtx", "rtx")])
def test_without_a_driver_no_backend_is_loaded_for_a_gpu(
    name: str, package: str, environment: Find, stub: Path, no_gpu: None
) -> None:
    output = output_of(environment(package), name, needs_gpu=True, LD_LIBRARY_PATH=str(stub))
    assert "needs an NVIDIA GPU, and no CUDA driver (libcuda.so.1) is installed" in output

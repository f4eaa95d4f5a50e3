"""The environments with NVIDIA's packages that tools/test_nvidia.sh makes, and what is run in them."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
ENVIRONMENTS = ROOT / ".cache" / "nvidia"
VERSIONS = ("10.3.0", "10.13.3.9", "10.16.1.11", "11.4.0.106")
LIBRARIES = ("nvinfer", "nvinfer_plugin", "nvonnxparser")


@dataclass(frozen=True)
class Environment:
    """A Python that has one of NVIDIA's packages, and none of ours."""

    folder: Path

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"

    @property
    def packages(self) -> Path:
        """The folder of its packages."""
        return next(self.folder.glob("lib/python3.*/site-packages"))

    def run(self, *arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run its Python with the runtime's sources at hand."""
        environment = os.environ | {"PYTHONPATH": str(ROOT / "runtime")} | variables
        words = [str(self.python), *map(str, arguments)]
        return subprocess.run(words, capture_output=True, text=True, env=environment, timeout=1800, check=False)


@pytest.fixture(scope="session")
def environment() -> Callable[[str], Environment]:
    """`environment("rtx")` is that of tests/nvidia/requirements/rtx.txt; the test is skipped where it was not made."""

    def find(name: str) -> Environment:
        if not (ENVIRONMENTS / name / "ready").is_file():
            pytest.skip(f"no environment {name} stands in .cache/nvidia: make test-nvidia")
        return Environment(ENVIRONMENTS / name)

    return find


@pytest.fixture(scope="session")
def stub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with libraries of TensorRT's names that make nothing, compiled now."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler for the stub of TensorRT's libraries: apt-get install gcc")
    folder = tmp_path_factory.mktemp("stub")
    for library in LIBRARIES:
        for major in (10, 11):
            out = folder / f"lib{library}.so.{major}"
            subprocess.run([compiler, "-shared", "-fPIC", "-o", out, HERE / "stub.c"], check=True, timeout=1800)
    return folder


@pytest.fixture(scope="session")
def api(environment: Callable[[str], Environment], stub: Path) -> Callable[[str], dict[str, dict[str, str]]]:
    """`api("10.3.0")` is what the real bindings of that version have; `api("rtx")` what TensorRT for RTX has."""

    @cache
    def read(version: str) -> dict[str, dict[str, str]]:
        name, module = ("rtx", "tensorrt_rtx") if version == "rtx" else (f"bindings-{version}", "tensorrt_bindings")
        done = environment(name).run(HERE / "api.py", module, LD_LIBRARY_PATH=str(stub))
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        assert version in ("rtx", found["version"])
        return dict(found["api"])

    return read


@pytest.fixture
def rtx(environment: Callable[[str], Environment], monkeypatch: pytest.MonkeyPatch) -> Environment:
    """TensorRT for RTX, at hand for every process that a test starts."""
    found = environment("rtx")
    monkeypatch.setenv("PYTHONPATH", str(found.packages))
    return found


@pytest.fixture
def command() -> Callable[..., subprocess.CompletedProcess[str]]:
    """`command("edgener", "build-engine", ...)` is a command as it is installed, in a process of its own."""

    def call(program: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        words = [str(Path(sys.executable).with_name(program)), *map(str, arguments)]
        return subprocess.run(words, capture_output=True, text=True, timeout=1800, check=False)

    return call


@pytest.fixture
def no_gpu() -> None:
    """Skips a test of the messages without a GPU on a machine that has one."""
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return
    pytest.skip("this machine has a CUDA driver")

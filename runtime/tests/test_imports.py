"""Every module loads on this Python, with this onnxruntime, and without the packages of extras that are missing."""

from __future__ import annotations

import importlib
import pkgutil

import pytest

import edgener_runtime

pytestmark = pytest.mark.compat

EXTRAS = {"tuf", "starlette", "uvicorn", "paho", "mlperf_loadgen", "tensorrt", "tensorrt_rtx", "psutil", "pynvml"}
MODULES = [
    module.name
    for module in pkgutil.walk_packages(edgener_runtime.__path__, "edgener_runtime.")
    if not module.name.endswith(".__main__")
]


def test_there_are_modules() -> None:
    assert len(MODULES) > 100


@pytest.mark.parametrize("name", MODULES)
def test_a_module_loads(name: str) -> None:
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = str(error.name).partition(".")[0]
        if missing not in EXTRAS:
            raise
        pytest.skip(f"{missing} is not installed")

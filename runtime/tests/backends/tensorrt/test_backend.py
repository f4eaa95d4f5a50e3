"""TensorRT is loaded where a GPU answers and its libraries are there, and refused with a reason everywhere else."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from edgener_runtime.backends.tensorrt import backend
from edgener_runtime.backends.tensorrt.backend import BACKENDS, load_backend, make, require_gpu
from edgener_runtime.errors import ProviderError
from edgener_runtime.machine.probe.cuda import CudaDriver, Gpu

NO_DRIVER = "no CUDA driver (libcuda.so.1) is installed"
GPU = Gpu("Orin", "8.7", 8 << 30)


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> CudaDriver:
    """A synthetic driver with a GPU."""
    synthetic = CudaDriver("12.6", (GPU,), None)
    monkeypatch.setattr(backend, "cuda_driver", lambda: synthetic)
    return synthetic


@pytest.fixture
def no_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend, "cuda_driver", lambda: CudaDriver(None, (), NO_DRIVER))


def module(folder: Path, name: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, name, raising=False)


@pytest.mark.parametrize("name", BACKENDS)
def test_without_a_driver_nothing_of_tensorrt_is_touched(
    name: str, no_driver: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module(tmp_path, BACKENDS[name].module, "raise SystemError('touched')", monkeypatch)
    with pytest.raises(ProviderError, match="needs an NVIDIA GPU, and no CUDA driver") as caught:
        load_backend(name)
    assert "pip install" in str(caught.value.hint)
    assert str(caught.value.hint).endswith("See what this machine has: edgener-runtime devices")


def test_the_driver_and_the_first_gpu(driver: CudaDriver) -> None:
    assert require_gpu(BACKENDS["tensorrt"]) == (driver, GPU)


@pytest.mark.parametrize("name", BACKENDS)
def test_a_module_that_is_there_is_loaded(
    name: str, driver: CudaDriver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module(tmp_path, BACKENDS[name].module, "__version__ = '10.3.0'", monkeypatch)
    assert load_backend(name).__version__ == "10.3.0"


def test_what_is_not_installed_is_reported_with_the_way_to_install_it(
    driver: CudaDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("tensorrt", "tensorrt_bindings"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    with pytest.raises(ProviderError, match="TensorRT cannot be loaded") as caught:
        load_backend("tensorrt")
    assert "install" in str(caught.value.hint)  # the line is the probe's, which knows the machine


def test_bindings_without_libraries_are_reported(
    driver: CudaDriver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = "libnvinfer.so.10: cannot open shared object file: No such file or directory"
    module(tmp_path, "tensorrt", f"raise ImportError({words!r})", monkeypatch)
    with pytest.raises(ProviderError, match=r"bindings are installed and its libraries are not \(libnvinfer\.so\.10"):
        load_backend("tensorrt")


def test_a_library_of_its_own_that_fails_is_not_taken_for_tensorrt(
    driver: CudaDriver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module(tmp_path, "tensorrt", "import no_such_module_of_tensorrt", monkeypatch)
    with pytest.raises(ProviderError, match="no_such_module_of_tensorrt"):
        load_backend("tensorrt")


def null(*arguments: object) -> None:
    return None


def nullptr(*arguments: object) -> None:
    raise TypeError("pybind11::init(): factory function returned nullptr")


@pytest.mark.parametrize("factory", [null, nullptr])
def test_a_factory_that_makes_nothing_is_a_clear_error(factory: object) -> None:
    with pytest.raises(ProviderError, match="TensorRT makes no null"):
        make(factory)
    assert make(SimpleNamespace) == SimpleNamespace()

"""Which CUDA runtime is loaded, and what its answers become; CUDA is a double."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edgener_runtime.backends.tensorrt.cudart import CopyKind, Cudart, load_cudart
from edgener_runtime.errors import DeviceError, EdgenerError, ProviderError

from .doubles import CudaDouble
from .stage import library

pytestmark = pytest.mark.compat

__all__ = ["library"]  # a fixture


@pytest.fixture
def cuda(library: Path) -> CudaDouble:
    return CudaDouble(library)


def loads(cuda: CudaDouble, *names: str) -> Any:
    """A loader that finds these libraries, and the names that it was asked for."""
    asked: list[str] = []

    def load(name: str) -> Any:
        asked.append(name)
        if name not in names:
            raise OSError(f"{name}: cannot open shared object file")
        return cuda.library

    return load, asked


@pytest.mark.parametrize(
    ("driver", "expected"),
    [
        ("13.2", ["libcudart.so.13", "libcudart.so.12", "libcudart.so.11.0"]),
        ("12.6", ["libcudart.so.12", "libcudart.so.11.0"]),  # 13 would load, and fail at its first call
        ("11.4", ["libcudart.so.11.0"]),
        ("", ["libcudart.so.13", "libcudart.so.12", "libcudart.so.11.0"]),
    ],
)
def test_no_runtime_newer_than_the_driver_is_tried(
    driver: str, expected: list[str], cuda: CudaDouble, tmp_path: Path
) -> None:
    load, asked = loads(cuda)
    with pytest.raises(ProviderError, match="no CUDA runtime can be loaded") as raised:
        load_cudart(load, driver, tmp_path)
    assert asked == expected
    assert raised.value.hint and "nvidia-cuda-runtime" in raised.value.hint


def test_nvidia_s_wheels_are_looked_into(cuda: CudaDouble, tmp_path: Path) -> None:
    wheel = tmp_path / "nvidia" / "cuda_runtime" / "lib" / "libcudart.so.12"
    wheel.parent.mkdir(parents=True)
    wheel.touch()
    load, asked = loads(cuda, str(wheel))
    assert isinstance(load_cudart(load, "12.6", tmp_path), Cudart)
    assert asked == ["libcudart.so.12", str(wheel)]


def test_a_library_that_is_not_such_a_runtime_is_reported() -> None:
    with pytest.raises(ProviderError, match=r"libcudart\.so\.10 has no cudaGetErrorName"):
        Cudart(SimpleNamespace(_name="libcudart.so.10"))


@pytest.mark.parametrize(
    ("code", "kind", "hint"),
    [
        (2, DeviceError, "GPU memory"),
        (35, ProviderError, "Update NVIDIA's driver"),
        (100, ProviderError, "edgener-runtime devices"),
        (700, DeviceError, "Load the bundle again"),
    ],
)
def test_an_error_of_cuda_says_what_to_do(code: int, kind: type[EdgenerError], hint: str, cuda: CudaDouble) -> None:
    cuda.fail("cudaMalloc", code=code)
    with pytest.raises(EdgenerError, match="cudaMalloc failed: cudaError") as raised:
        cuda.cudart.allocate(16)
    assert type(raised.value) is kind
    assert raised.value.hint and hint in raised.value.hint


def test_the_double_finds_copies_beyond_a_buffer_and_what_is_freed_twice(cuda: CudaDouble) -> None:
    """Proof that the tests of the session would find them."""
    stream, device, host = cuda.cudart.make_stream(), cuda.cudart.allocate(16), cuda.cudart.allocate_pinned(16)
    with pytest.raises(EdgenerError):
        cuda.cudart.copy(device, host, 17, CopyKind.TO_DEVICE, stream)
    cuda.cudart.copy(device, host, 16, CopyKind.TO_DEVICE, stream)
    with pytest.raises(EdgenerError):
        cuda.cudart.free(device)  # the copy is under way
    cuda.cudart.synchronise(stream)
    cuda.cudart.free(device)
    with pytest.raises(EdgenerError):
        cuda.cudart.free(device)
    assert [fault.partition(": ")[2] for fault in cuda.faults()] == [
        "copied beyond what was allocated", "freed while the stream still works on it", "freed what was not allocated",
    ]  # fmt: skip

"""CUDA's runtime library through ctypes: the few functions that a session needs, each result checked.

Tested with a library that records its calls, and by itself on a GPU (test_cudart_here.py).
"""

from __future__ import annotations

import ctypes
import sysconfig
from collections.abc import Callable, Iterator
from ctypes import POINTER, c_char_p, c_int, c_size_t, c_uint, c_ulonglong, c_void_p
from enum import IntEnum
from pathlib import Path
from typing import Any

from edgener_runtime.errors import DeviceError, EdgenerError, ProviderError
from edgener_runtime.machine.probe.cuda import cuda_driver


class CopyKind(IntEnum):
    """cudaMemcpyKind: the direction of a copy."""

    TO_DEVICE = 1
    TO_HOST = 2


_OUT = POINTER(c_void_p)
# As in CUDA 11.4 to 13; cudaGraphInstantiate itself changed its arguments in between.
SIGNATURES: dict[str, tuple[Any, ...]] = {
    "cudaMalloc": (_OUT, c_size_t),
    "cudaFree": (c_void_p,),
    "cudaMallocHost": (_OUT, c_size_t),
    "cudaFreeHost": (c_void_p,),
    "cudaMemcpyAsync": (c_void_p, c_void_p, c_size_t, c_int, c_void_p),
    "cudaStreamCreateWithFlags": (_OUT, c_uint),
    "cudaStreamDestroy": (c_void_p,),
    "cudaStreamSynchronize": (c_void_p,),
    "cudaStreamBeginCapture": (c_void_p, c_int),
    "cudaStreamEndCapture": (c_void_p, _OUT),
    "cudaGraphInstantiateWithFlags": (_OUT, c_void_p, c_ulonglong),
    "cudaGraphLaunch": (c_void_p, c_void_p),
    "cudaGraphDestroy": (c_void_p,),
    "cudaGraphExecDestroy": (c_void_p,),
    "cudaGetLastError": (),
}
_NON_BLOCKING = 1  # cudaStreamNonBlocking: does not wait for work on CUDA's default stream
_THREAD_LOCAL = 1  # cudaStreamCaptureModeThreadLocal: other threads may allocate while this one captures
_LOAD_AGAIN = "Load the bundle again; if it happens again, see what the driver logs: dmesg | grep -i nvidia"

# cudaError_t to the class of our error and the next step.
_ERRORS: dict[int, tuple[type[EdgenerError], str]] = {
    2: (DeviceError, "Free some GPU memory (nvidia-smi), or build an engine with smaller profiles."),
    35: (ProviderError, "Update NVIDIA's driver, or use a TensorRT for an older CUDA."),
    46: (ProviderError, "Another process has exclusive use of the GPU: see nvidia-smi."),
    100: (ProviderError, "See which GPUs there are: edgener-runtime devices"),
}


class Cudart:
    """The functions of one libcudart, which raise errors in place of returning numbers."""

    def __init__(self, library: Any) -> None:
        self._library = library
        for name in ("cudaGetErrorName", "cudaGetErrorString"):
            self._function(name, (c_int,), c_char_p)
        for name, arguments in SIGNATURES.items():
            self._function(name, arguments, c_int)

    def _function(self, name: str, arguments: tuple[Any, ...], result: Any) -> None:
        try:
            function = getattr(self._library, name)
        except AttributeError:
            raise ProviderError(
                f"{self._library._name} has no {name}, so it is not a CUDA runtime of 11.4 or newer",
                "Update CUDA.",
            ) from None
        function.argtypes, function.restype = arguments, result

    def _call(self, name: str, *arguments: Any) -> None:
        """Raises ProviderError or DeviceError with CUDA's message where the result is not 0."""
        code = int(getattr(self._library, name)(*arguments))
        if code:
            self._library.cudaGetLastError()  # resets it, or the next call would return it
            kind, hint = _ERRORS.get(code, (DeviceError, _LOAD_AGAIN))
            raise kind(f"{name} failed: {self._text('Name', code)} ({self._text('String', code)})", hint)

    def _text(self, what: str, code: int) -> str:
        text = getattr(self._library, f"cudaGetError{what}")(code)
        return text.decode("utf-8", "replace") if text else str(code)

    def _made(self, name: str, *arguments: Any) -> int:
        """The handle or address that a function writes to its first argument."""
        made = c_void_p()
        self._call(name, ctypes.byref(made), *arguments)
        return made.value or 0

    def allocate(self, size: int) -> int:
        """Allocate memory on the device, in bytes; returns its address."""
        return self._made("cudaMalloc", size)

    def free(self, address: int) -> None:
        """Free device memory."""
        self._call("cudaFree", address)

    def allocate_pinned(self, size: int) -> int:
        """Allocate pinned memory on the host, in bytes, which copies use directly; returns its address."""
        return self._made("cudaMallocHost", size)

    def free_pinned(self, address: int) -> None:
        """Free pinned memory."""
        self._call("cudaFreeHost", address)

    def copy(self, to: int, source: int, size: int, kind: CopyKind, stream: int) -> None:
        """Enqueue a copy on a stream; it is done once the stream is synchronised."""
        self._call("cudaMemcpyAsync", to, source, size, int(kind), stream)

    def make_stream(self) -> int:
        """A stream, on which work is done in order."""
        return self._made("cudaStreamCreateWithFlags", _NON_BLOCKING)

    def destroy_stream(self, stream: int) -> None:
        """Destroy a stream."""
        self._call("cudaStreamDestroy", stream)

    def synchronise(self, stream: int) -> None:
        """Wait for all work of a stream; raises the errors of that work."""
        self._call("cudaStreamSynchronize", stream)

    def begin_capture(self, stream: int) -> None:
        """Record what is enqueued on a stream instead of doing it."""
        self._call("cudaStreamBeginCapture", stream, _THREAD_LOCAL)

    def end_capture(self, stream: int) -> int:
        """The graph of what was recorded."""
        graph = c_void_p()
        self._call("cudaStreamEndCapture", stream, ctypes.byref(graph))
        return graph.value or 0

    def instantiate(self, graph: int) -> int:
        """A graph that can be launched."""
        return self._made("cudaGraphInstantiateWithFlags", graph, 0)

    def launch(self, executable: int, stream: int) -> None:
        """Enqueue a whole graph on a stream."""
        self._call("cudaGraphLaunch", executable, stream)

    def destroy_graph(self, graph: int) -> None:
        """Destroy a graph."""
        self._call("cudaGraphDestroy", graph)

    def destroy_executable(self, executable: int) -> None:
        """Destroy an executable graph."""
        self._call("cudaGraphExecDestroy", executable)


def load_cudart(
    load: Callable[[str], Any] = ctypes.CDLL, driver: str | None = None, site: Path | None = None
) -> Cudart:
    """The newest CUDA runtime that the driver supports, from the loader or from NVIDIA's wheels.

    `driver` is the newest CUDA that the driver supports, queried where it is not given; `site` is the folder of
    packages. Raises ProviderError where there is no such library.
    """
    served = driver if driver is not None else cuda_driver().version or ""
    tried = []
    for name in _candidates(served, site or Path(sysconfig.get_path("purelib"))):
        try:
            return Cudart(load(name))
        except OSError:
            tried.append(name)
    raise ProviderError(
        f"no CUDA runtime can be loaded; the driver serves CUDA {served or 'unknown'}, tried were {', '.join(tried)}",
        "pip install nvidia-cuda-runtime-cu12, or on a Jetson: apt-get install cuda-cudart-12-6",
    )


_MAJORS = (13, 12, 11)


def _candidates(driver: str, site: Path) -> Iterator[str]:
    """Names from the newest; a runtime newer than the driver would load, and fail at the first call."""
    major = driver.partition(".")[0]
    newest = int(major) if major.isdecimal() else _MAJORS[0]
    for served in (each for each in _MAJORS if each <= newest):
        name = "libcudart.so.11.0" if served == 11 else f"libcudart.so.{served}"
        yield name
        yield from map(str, sorted(site.glob(f"nvidia/*/lib/{name}")))

"""The CUDA driver and its GPUs, queried through ctypes.

TensorRT and onnxruntime crash or fall back silently where there is no usable driver: it is checked before them.
"""

from __future__ import annotations

import ctypes
import os
from dataclasses import dataclass
from typing import Any

LIBRARY = "libcuda.so.1"
_NO_DEVICE = 100
_MAJOR, _MINOR = 75, 76  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_*
_NAME_LENGTH = 256

# The common results of cuInit, as cuda.h describes them.
_MEANINGS = {
    3: "not initialised: the process was forked after CUDA had started",
    34: "the library is a stub to link against, not a driver",
    35: "the driver is older than the CUDA it is used with",
    46: "the device is taken or not available",
    802: "the system is not ready, such as NVSwitch's fabric manager not running",
    803: "the driver's kernel module and library are of different versions",
    804: "forward compatibility is not available on this device",
    999: "unknown: often the kernel module is not loaded, or /dev/nvidia* cannot be opened",
}


@dataclass(frozen=True)
class Gpu:
    """A GPU as the driver describes it: name, compute capability such as `8.6`, memory in bytes."""

    name: str
    compute_capability: str
    memory: int


@dataclass(frozen=True)
class CudaDriver:
    """The newest CUDA that the driver supports (`12.6`), its GPUs, and in `why` the reason where none can be used."""

    version: str | None
    gpus: tuple[Gpu, ...]
    why: str | None


class _DriverError(Exception):
    """The driver returned an error, or the library is not a driver."""


def cuda_driver(library: str = LIBRARY) -> CudaDriver:
    """The state of the CUDA driver; where it is absent or fails, `why` says so, and nothing is raised."""
    version: str | None = None
    try:
        driver = _load(library)
        version = _version(driver)
        _call(driver, "cuInit", 0)
        gpus = _gpus(driver)
    except _DriverError as error:
        return CudaDriver(version, (), str(error))
    return CudaDriver(version, gpus, None if gpus else _no_device())


def _load(library: str) -> Any:
    try:
        return ctypes.CDLL(library)
    except OSError as error:
        # what is missing may also be a library that this one needs, as in a container of a Jetson
        absent = "no such file" in str(error).lower() and library in str(error)
        reason = f"no CUDA driver ({library}) is installed" if absent else f"the CUDA driver cannot be loaded: {error}"
        raise _DriverError(reason) from None


def _version(driver: Any) -> str | None:
    """The call is allowed before cuInit, and so also works where cuInit fails."""
    found = ctypes.c_int()
    try:
        _call(driver, "cuDriverGetVersion", ctypes.byref(found))
    except _DriverError:
        return None
    return f"{found.value // 1000}.{found.value % 1000 // 10}"


def _gpus(driver: Any) -> tuple[Gpu, ...]:
    count = ctypes.c_int()
    _call(driver, "cuDeviceGetCount", ctypes.byref(count))
    return tuple(_gpu(driver, ordinal) for ordinal in range(count.value))


def _gpu(driver: Any, ordinal: int) -> Gpu:
    device, name, memory = ctypes.c_int(), ctypes.create_string_buffer(_NAME_LENGTH), ctypes.c_size_t()
    _call(driver, "cuDeviceGet", ctypes.byref(device), ordinal)
    _call(driver, "cuDeviceGetName", name, _NAME_LENGTH, device)
    _call(driver, "cuDeviceTotalMem_v2", ctypes.byref(memory), device)
    capability = f"{_attribute(driver, _MAJOR, device)}.{_attribute(driver, _MINOR, device)}"
    return Gpu(name.value.decode("utf-8", "replace"), capability, memory.value)


def _attribute(driver: Any, attribute: int, device: ctypes.c_int) -> int:
    found = ctypes.c_int()
    _call(driver, "cuDeviceGetAttribute", ctypes.byref(found), attribute, device)
    return found.value


def _call(driver: Any, function: str, *arguments: Any) -> None:
    """Raises _DriverError where the driver returns anything but 0, or does not have the function."""
    try:
        result = int(getattr(driver, function)(*arguments))
    except AttributeError:
        raise _DriverError(f"the CUDA driver has no {function}: it is too old, or not a driver") from None
    if result == _NO_DEVICE:
        raise _DriverError(_no_device())
    if result:
        meaning = f" ({_MEANINGS[result]})" if result in _MEANINGS else ""
        where = "" if function == "cuInit" else f" in {function}"
        raise _DriverError(f"the driver failed with error {result}{where}{meaning}")


def _no_device() -> str:
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return "the driver finds no device" + (f" (CUDA_VISIBLE_DEVICES is {visible!r})" if visible is not None else "")

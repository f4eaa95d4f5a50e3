"""What each device lacks on this machine, by what lies there: a library's own list of providers is no proof."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from edgener_runtime.machine import devices

from .cuda import CudaDriver
from .elf import needed_libraries
from .install import cpu_line, cuda_line, tensorrt_line
from .jetson import Jetson
from .libraries import Folder, missing_libraries
from .packages import COPIED_SITES, Packages, name_all
from .platforms import ORT_TENSORRT, jetpack_line
from .reading import listed

_PROVIDER = "onnxruntime/capi/libonnxruntime_providers_{}.so"
_BINDINGS = ("tensorrt/*.so", "tensorrt_bindings/*.so", "tensorrt_rtx_bindings/*.so")
_OLDEST_TENSORRT = 10


@dataclass(frozen=True)
class Provider:
    """A device, whether all it needs was found, what was not, the next command, and whether we ever ran on one."""

    name: str
    ready: bool
    missing: tuple[str, ...]
    install: str | None
    proven: bool


@dataclass(frozen=True)
class Found:
    """What the providers are judged by."""

    root: Path
    sites: list[Path]
    folders: tuple[Folder, ...]
    driver: CudaDriver
    packages: Packages
    board: Jetson | None


def providers(found: Found) -> tuple[Provider, ...]:
    """Every device in the order of the table, with what it lacks here."""
    return tuple(_provider(name, found) for name in _DEVICES)


def _provider(name: str, found: Found) -> Provider:
    lacks, line = _DEVICES[name]
    missing = tuple(lacks(found))
    return Provider(name, not missing, missing, line(found, missing) if missing else None, devices.DEVICES[name].proven)


def _cpu_lacks(found: Found) -> Iterator[str]:
    yield from found.packages.faults


def _cuda_lacks(found: Found) -> Iterator[str]:
    return _onnxruntime_lacks(found, "CUDA")


def _tensorrt_ort_lacks(found: Found) -> Iterator[str]:
    return _onnxruntime_lacks(found, "TensorRT")


def _onnxruntime_lacks(found: Found, provider: str) -> Iterator[str]:
    """What onnxruntime's own provider lacks; it lies in a library of its own, which tells what it needs."""
    yield from found.packages.faults
    file = _first(found.sites, (_PROVIDER.format(provider.lower()),))
    if not file and found.packages.onnxruntime:
        yield f"{name_all(found.packages.onnxruntime)} is built without {provider}"
    yield from filter(None, [found.driver.why])
    if file:
        yield from _library_lacks(file, found)


def _tensorrt_lacks(found: Found) -> Iterator[str]:
    bindings = _first(found.sites, _BINDINGS)
    if not bindings:
        system = _first([path for pattern in COPIED_SITES for path in listed(found.root, pattern)], _BINDINGS)
        yield (
            "TensorRT's Python bindings are installed for the system, and this environment does not see them"
            if system
            else "TensorRT's Python bindings are not installed"
        )
    yield from filter(None, [found.driver.why])
    if bindings:
        yield from _library_lacks(bindings, found)


def _jetson_lacks(found: Found) -> Iterator[str]:
    if not found.board:
        yield "this is no Jetson: neither /proc/device-tree/compatible nor /etc/nv_tegra_release says so"
        return
    line = jetpack_line(found.board.l4t or "")
    if line and line.too_old:
        yield f"JetPack {found.board.jetpack} is too old: {line.too_old}"
    for_cuda, for_tensorrt = tuple(_cuda_lacks(found)), tuple(_tensorrt_lacks(found))
    if for_cuda and for_tensorrt:
        yield f"TensorRT cannot be used: {'; '.join(for_tensorrt)}"
        yield f"CUDA cannot be used: {'; '.join(for_cuda)}"


def _library_lacks(file: Path, found: Found) -> Iterator[str]:
    """Libraries that are missing, of a newer CUDA than the driver's, or of a TensorRT that is too old."""
    needed = needed_libraries(file)
    if missing := missing_libraries(file, found.folders):
        yield f"{', '.join(missing)} not found, which {file.name} needs"
    cuda, serves = _major("libcudart", needed), found.driver.version
    if cuda and serves and int(serves.split(".")[0]) < cuda:
        yield f"the driver serves CUDA {serves}, {file.name} needs {cuda}"
    tensorrt = _major("libnvinfer", needed)
    if tensorrt and tensorrt < _OLDEST_TENSORRT:
        yield f"{file.name} is for TensorRT {tensorrt}; this runtime works with {_OLDEST_TENSORRT} and newer"


def _major(stem: str, names: tuple[str, ...]) -> int | None:
    found = (re.fullmatch(rf"{stem}\.so\.(\d+).*", name) for name in names)
    return next((int(match[1]) for match in found if match), None)


def _first(sites: list[Path], patterns: tuple[str, ...]) -> Path | None:
    return next((file for site in sites for pattern in patterns for file in listed(site, pattern)), None)


def _tensorrt_ort_line(found: Found, missing: tuple[str, ...]) -> str:
    """Where only TensorRT's libraries are missing, those of the TensorRT that this onnxruntime was built for."""
    if not found.board and any("libnvinfer" in lack for lack in missing):
        return tensorrt_line(found.driver, None, missing, most=ORT_TENSORRT)
    return cuda_line(found.driver, found.board, found.packages)


def _jetson_line(found: Found, missing: tuple[str, ...]) -> str:
    if not found.board:
        return "Ask for --device cpu, cuda or tensorrt."
    return tensorrt_line(found.driver, found.board, missing)


# Device to what it lacks, and to the next command.
_DEVICES: dict[str, tuple[Callable[[Found], Iterator[str]], Callable[[Found, tuple[str, ...]], str]]] = {
    "cpu": (_cpu_lacks, lambda found, missing: cpu_line(found.packages)),
    "cuda": (_cuda_lacks, lambda found, missing: cuda_line(found.driver, found.board, found.packages)),
    "tensorrt": (_tensorrt_lacks, lambda found, missing: tensorrt_line(found.driver, found.board, missing)),
    "tensorrt-ort": (_tensorrt_ort_lacks, _tensorrt_ort_line),
    "jetson": (_jetson_lacks, _jetson_line),
}
DEVICES = tuple(_DEVICES)

"""A machine as its files show it: a library's own list of providers does not prove that one can run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edgener_runtime.machine.devices import CPU, Device, provider_title

from .cuda import CudaDriver
from .elf import needed_libraries
from .jetson import Jetson
from .libraries import Folder, missing_libraries
from .packages import COPIED_SITES, Packages, named
from .platforms import jetpack_line
from .reading import listed

_PROVIDER = "onnxruntime/capi/libonnxruntime_providers_{}.so"
_BINDINGS = ("tensorrt/*.so", "tensorrt_bindings/*.so", "tensorrt_rtx_bindings/*.so")
_OLDEST_TENSORRT = 10


@dataclass(frozen=True)
class FileFacts:
    """`machine.requirements.MachineFacts` from the files below `root`; engines, which belong to a bundle, are left out.

    `sites` are the folders of Python's packages, `folders` those that may hold libraries.
    """

    root: Path
    sites: list[Path]
    folders: tuple[Folder, ...]
    driver: CudaDriver
    packages: Packages
    board: Jetson | None

    def onnxruntime_fault(self) -> str | None:
        """Where none is installed, or its files are gone."""
        return self.packages.faults[0] if self.packages.faults and len(self.packages.onnxruntime) < 2 else None

    def onnxruntime_packages(self, device: Device) -> tuple[str, ...]:
        """By the records of pip."""
        return named(self.packages.onnxruntime)

    def onnxruntime_version(self) -> str:
        """The version of the first package."""
        return self.packages.onnxruntime[0].version

    def has_provider(self, device: Device) -> bool:
        """By the library file of a GPU's provider; without onnxruntime, only onnxruntime is reported as missing."""
        return device.provider == CPU or not self.packages.onnxruntime or self._provider_library(device) is not None

    def driver_fault(self) -> str | None:
        """By a query of the driver."""
        return self.driver.why

    def library_faults(self, device: Device) -> tuple[str, ...]:
        """By the libraries that the file of the provider or the bindings needs."""
        file = self._bindings() if device.opener == "engine" else self._provider_library(device)
        return tuple(_library_faults(file, self)) if file else ()

    def has_tensorrt(self) -> bool:
        """Whether the files of the bindings are there."""
        return self._bindings() is not None

    def hides_tensorrt(self) -> bool:
        """As in a virtual environment on a Jetson, where TensorRT comes with the system."""
        system = [path for pattern in COPIED_SITES for path in listed(self.root, pattern)]
        return _first(system, _BINDINGS) is not None

    def unprepared(self) -> Path | None:
        """Not looked at: the probe has no bundle."""
        return None

    def is_jetson(self) -> bool:
        """Whether the system's files name a Jetson."""
        return self.board is not None

    def jetpack_fault(self) -> str | None:
        """A JetPack whose libraries are older than what this runtime works with."""
        line = jetpack_line(self.board.l4t or "") if self.board else None
        if not self.board or not line or not line.too_old:
            return None
        return f"JetPack {self.board.jetpack} is too old: {line.too_old}"

    def _bindings(self) -> Path | None:
        return _first(self.sites, _BINDINGS)

    def _provider_library(self, device: Device) -> Path | None:
        return _first(self.sites, (_PROVIDER.format(provider_title(device.provider).lower()),))


def _library_faults(file: Path, facts: FileFacts) -> Iterator[str]:
    """Libraries that are missing, of a newer CUDA than the driver's, or of a TensorRT that is too old."""
    needed = needed_libraries(file)
    if missing := missing_libraries(file, facts.folders):
        yield f"{', '.join(missing)} not found, which {file.name} needs"
    cuda, serves = _major("libcudart", needed), facts.driver.version
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

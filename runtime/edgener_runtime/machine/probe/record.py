"""All that is worth knowing of a machine before a model runs on it, in one record."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgener_runtime.errors import ProviderError, UserInputError

from .cuda import CudaDriver, cuda_driver
from .jetson import Jetson, jetson
from .libraries import Library, find_libraries, library_folders
from .machine import Cpu, Memory, cpu, memory
from .packages import Packages, package_folders, packages
from .providers import Found, Provider, providers
from .reading import HERE, is_here

_COPY = CudaDriver(None, (), "a copy of another machine's files has no driver to ask")


@dataclass(frozen=True)
class Probe:
    """What was found on a machine; `jetson` is None on another. A provider that lacks nothing is ready."""

    cpu: Cpu
    memory: Memory
    driver: CudaDriver
    libraries: tuple[Library, ...]
    packages: Packages
    providers: tuple[Provider, ...]
    jetson: Jetson | None
    schema_version: int = 1

    def provider(self, device: str) -> Provider:
        """What `device` lacks here. Raises UserInputError with the names there are."""
        found = next((provider for provider in self.providers if provider.name == device), None)
        if found is None:
            names = ", ".join(provider.name for provider in self.providers)
            raise UserInputError(f"there is no device {device!r}", f"Choose one of: {names}")
        return found

    def require(self, device: str) -> None:
        """Raise ProviderError with all that `device` lacks and the next command, where it lacks anything."""
        provider = self.provider(device)
        if not provider.ready:
            raise ProviderError(f"{device} cannot be used here: {'; '.join(provider.missing)}", provider.install)


def probe(root: Path = HERE) -> Probe:
    """What there is on this machine, or in a copy of another's files below `root`.

    Loads no CUDA library but the driver's, and neither onnxruntime nor TensorRT. Raises UserInputError where `root` is
    no folder.
    """
    if not root.is_dir():
        raise UserInputError(f"{root} is no folder", "Name the folder that holds the machine's /proc, /sys and /etc.")
    sites = package_folders(root)
    folders = library_folders(root, sites)
    driver = cuda_driver() if is_here(root) else _COPY
    installed, board = packages(root, sites), jetson(root)
    return Probe(
        cpu=cpu(root),
        memory=memory(root),
        driver=driver,
        libraries=find_libraries(folders),
        packages=installed,
        providers=providers(Found(root, sites, folders, driver, installed, board)),
        jetson=board,
    )


def install_command(device: str) -> str:
    """How to get the software that a device needs onto this machine, by what is found here."""
    return probe().provider(device).install or "See what this machine has: edgener-runtime devices"

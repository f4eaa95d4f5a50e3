"""The probe: one record of what decides how a model runs on a machine."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from edgener_runtime.errors import ProviderError, UserInputError
from edgener_runtime.machine.devices import hardware_devices

from .cuda import CudaDriver, cuda_driver
from .facts import FileFacts
from .jetson import Jetson, jetson
from .libraries import Library, find_libraries, library_folders
from .machine import Cpu, Memory, cpu, memory
from .packages import Packages, package_folders, packages
from .reading import HERE, is_here
from .states import DeviceState, device_states

_COPY = CudaDriver(None, (), "a copy of another machine's files has no driver to ask")


@dataclass(frozen=True)
class Probe:
    """What was found on a machine; `jetson` is None where it is not one. A device with nothing missing is ready."""

    cpu: Cpu
    memory: Memory
    driver: CudaDriver
    libraries: tuple[Library, ...]
    packages: Packages
    devices: tuple[DeviceState, ...] = field(metadata={"key": "providers"})
    jetson: Jetson | None
    schema_version: int = 1

    def device(self, name: str) -> DeviceState:
        """The state of a device here. Raises UserInputError with the names there are."""
        found = next((state for state in self.devices if state.name == name), None)
        if found is None:
            raise UserInputError(f"there is no device {name!r}", f"Choose one of: {', '.join(hardware_devices())}")
        return found

    def require(self, name: str) -> None:
        """Raise ProviderError with everything that a device misses here and the next command."""
        state = self.device(name)
        if not state.ready:
            raise ProviderError(f"{name} cannot run here: {'; '.join(state.missing)}", state.install)


def probe(root: Path = HERE) -> Probe:
    """What there is on this machine, or in a copy of another machine's files below `root`.

    Loads no CUDA library but the driver's, and neither onnxruntime nor TensorRT. Raises UserInputError where `root` is
    not a folder.
    """
    if not root.is_dir():
        raise UserInputError(
            f"{root} is not a folder", "Name the folder that holds the machine's /proc, /sys and /etc."
        )
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
        devices=device_states(FileFacts(root, sites, folders, driver, installed, board)),
        jetson=board,
    )


def install_command(device: str) -> str:
    """The command that installs the software of a device on this machine."""
    return probe().device(device).install or "See what this machine has: edgener-runtime devices"

"""What this machine does not have for a device, checked before a session is opened, and the next command."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgener_runtime.bundle.manifest import VariantEntry
from edgener_runtime.machine.devices import CPU, Device
from edgener_runtime.machine.requirements import Missing, missing_requirements


@dataclass(frozen=True)
class RunRequest:
    """What is to run: one of these variants of a bundle."""

    bundle: Path
    variants: tuple[VariantEntry, ...]


def missing_here(device: Device, request: RunRequest | None = None) -> Iterator[Missing]:
    """What this machine does not have for a device, one after the other: the next is checked when it is asked for."""
    return missing_requirements(device, ProcessFacts(request))


def missing_variant(device: Device, request: RunRequest | None) -> Missing | None:
    """Whether none of the requested variants runs on a device."""
    if request is None or any(device.provider in entry.requirements.providers for entry in request.variants):
        return None
    names = ", ".join(entry.name for entry in request.variants)
    return Missing(f"{names} does not run there", "Choose another variant or another device.")


def next_command(device: Device, missing: Sequence[Missing]) -> str:
    """The commands that fix what is missing, one per line; what to install depends on the machine, which is probed."""
    from edgener_runtime.machine.probe.record import install_command

    lines = [each.fix or install_command(device.name) for each in missing]
    return "\n".join(dict.fromkeys(lines))


def prepared(bundle: Path) -> list[str]:
    """The variants of a bundle that have an engine beside it; whether the engine fits is checked when it is loaded."""
    from edgener_runtime.backends.tensorrt.paths import engines_folder

    return sorted(file.stem for file in engines_folder(bundle).glob("*.engine"))


class ProcessFacts:
    """`machine.requirements.MachineFacts` as a process sees them: quickly, and without the probe.

    TensorRT is not loaded and no session is opened: without a driver, the one crashes and the other falls back
    silently. What only a session shows, as the libraries of CUDA, is left to it.
    """

    def __init__(self, request: RunRequest | None = None) -> None:
        self._request = request

    def onnxruntime_fault(self) -> str | None:
        """Raises ProviderError where it cannot be imported."""
        from edgener_runtime.backends.onnxruntime.library import load_onnxruntime

        load_onnxruntime()
        return None

    def onnxruntime_packages(self, device: Device) -> tuple[str, ...]:
        """By the records of pip; not on the CPU, where reading them would delay every start, and either one runs."""
        if device.provider == CPU:
            return ()
        from importlib.metadata import packages_distributions, version

        names = sorted(set(packages_distributions().get("onnxruntime", [])))
        return tuple(f"{name} {version(name)}" for name in names)

    def onnxruntime_version(self) -> str:
        """As the module says."""
        from edgener_runtime.backends.onnxruntime.library import load_onnxruntime

        return str(load_onnxruntime().__version__)

    def has_provider(self, device: Device) -> bool:
        """By the list of what onnxruntime was compiled with; it says nothing about the machine."""
        from edgener_runtime.backends.onnxruntime.library import load_onnxruntime

        return device.provider in load_onnxruntime().get_available_providers()

    def driver_fault(self) -> str | None:
        """The driver is loaded and asked."""
        from edgener_runtime.machine.probe.cuda import cuda_driver

        return cuda_driver().why

    def library_faults(self, device: Device) -> tuple[str, ...]:
        """The session fails with the name of the library."""
        return ()

    def has_tensorrt(self) -> bool:
        """Python's finder is asked, which does not import the module."""
        from importlib.util import find_spec

        from edgener_runtime.backends.tensorrt.backend import BACKENDS

        modules = (name for backend in BACKENDS.values() for name in (backend.module, backend.bindings))
        return any(find_spec(name) for name in modules)

    def hides_tensorrt(self) -> bool:
        """The probe looks for the system's packages, and names the command."""
        return False

    def unprepared(self) -> Path | None:
        """The requested bundle, where none of the requested variants has an engine."""
        if self._request is None:
            return Path("BUNDLE")
        names = {entry.name for entry in self._request.variants}
        return None if names & set(prepared(self._request.bundle)) else self._request.bundle

    def is_jetson(self) -> bool:
        """Whether the system's files name a Jetson."""
        from edgener_runtime.machine.probe.jetson import jetson

        return jetson() is not None

    def jetpack_fault(self) -> str | None:
        """The sessions of what it stands for refuse libraries that are too old."""
        return None

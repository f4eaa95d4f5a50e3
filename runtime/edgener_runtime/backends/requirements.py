"""What this machine is missing for a device, checked before a session is opened, and the next command."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgener_runtime.bundle.manifest import VariantEntry
from edgener_runtime.machine.devices import CPU, Device
from edgener_runtime.machine.operators import missing_operators
from edgener_runtime.machine.requirements import Missing, missing_requirements


@dataclass(frozen=True)
class RunRequest:
    """What is to run: one of these variants of a bundle."""

    bundle: Path
    variants: tuple[VariantEntry, ...]


def missing_here(device: Device, request: RunRequest | None = None) -> Iterator[Missing]:
    """What this machine is missing for a device; a generator, so that the caller may stop after the first."""
    return missing_requirements(device, ProcessFacts(request))


def missing_variant(device: Device, request: RunRequest | None) -> Missing | None:
    """The fault where none of the requested variants runs on a device, or None."""
    if request is None:
        return None
    entries = [entry for entry in request.variants if device.provider in entry.requirements.providers]
    if not entries:
        names = ", ".join(entry.name for entry in request.variants)
        return Missing(f"{names} does not run there", "Choose another variant or another device.")
    faults = [missing_operators(entry.requirements.operators) for entry in entries]
    return None if None in faults else faults[0]


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
    """`machine.requirements.MachineFacts` of this process: quick to find, and without the probe.

    TensorRT is not loaded and no session is opened: without a driver, TensorRT crashes and onnxruntime falls back
    silently. The libraries of CUDA are left to the session, which reports those that are missing.
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
        """The version of the imported module."""
        from edgener_runtime.backends.onnxruntime.library import load_onnxruntime

        return str(load_onnxruntime().__version__)

    def has_provider(self, device: Device) -> bool:
        """By the list of providers that onnxruntime was compiled with, whatever the machine has."""
        from edgener_runtime.backends.onnxruntime.library import load_onnxruntime

        return device.provider in load_onnxruntime().get_available_providers()

    def driver_fault(self) -> str | None:
        """By a query of the driver."""
        from edgener_runtime.machine.probe.cuda import cuda_driver

        return cuda_driver().why

    def library_faults(self, device: Device) -> tuple[str, ...]:
        """Not looked at: the session fails with the name of the library."""
        return ()

    def has_tensorrt(self) -> bool:
        """By Python's finder, which does not import the module."""
        from importlib.util import find_spec

        from edgener_runtime.backends.tensorrt.backend import BACKENDS

        modules = (name for backend in BACKENDS.values() for name in (backend.module, backend.bindings))
        return any(find_spec(name) for name in modules)

    def hides_tensorrt(self) -> bool:
        """Not looked at: the probe checks the system's packages, and names the command."""
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
        """Not looked at: TensorRT's and onnxruntime's sessions refuse libraries that are too old."""
        return None

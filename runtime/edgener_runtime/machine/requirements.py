"""What devices require of a machine: each requirement once, with its check, its wording and the command that fixes it.

Two classes provide the facts, as `MachineFacts`: a process that is about to open a session (backends/requirements.py),
and the probe, which reads files (machine/probe/facts.py).
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from .devices import Device, provider_title


@dataclass(frozen=True)
class Missing:
    """What a machine does not have, and the command that fixes it; None: what installs the device's software.

    `requirement` is its key in REQUIREMENTS.
    """

    what: str
    fix: str | None = None
    requirement: str = ""


class MachineFacts(Protocol):
    """The facts of a machine that requirements check; a fact that is not looked at is reported as no fault."""

    def onnxruntime_fault(self) -> str | None:
        """Why no onnxruntime can be used."""

    def onnxruntime_packages(self, device: Device) -> Sequence[str]:
        """The installed distributions that bring a module `onnxruntime`, with their versions."""

    def onnxruntime_version(self) -> str:
        """The version of the onnxruntime that is installed."""

    def has_provider(self, device: Device) -> bool:
        """Whether that onnxruntime was built with the device's execution provider."""

    def driver_fault(self) -> str | None:
        """Why the CUDA driver cannot be used."""

    def library_faults(self, device: Device) -> Sequence[str]:
        """What is wrong with the libraries that the device's provider or TensorRT needs."""

    def has_tensorrt(self) -> bool:
        """Whether Python finds TensorRT's bindings."""

    def hides_tensorrt(self) -> bool:
        """Whether TensorRT's bindings are installed for the system, where this environment does not see them."""

    def unprepared(self) -> Path | None:
        """The bundle that has no engine, or None."""

    def is_jetson(self) -> bool:
        """Whether the machine is a Jetson."""

    def jetpack_fault(self) -> str | None:
        """Why its JetPack cannot be used."""


Check = Callable[[Device, MachineFacts], Iterator[Missing]]


@dataclass(frozen=True)
class Requirement:
    """`description` is for the docs' table, with `{provider}` for the device's; `check` yields what is missing."""

    description: str
    check: Check


def missing_requirements(device: Device, facts: MachineFacts) -> Iterator[Missing]:
    """What a machine is missing for a device; a generator, so that the caller may stop after the first."""
    for name in device.requirements:
        for missing in REQUIREMENTS[name].check(device, facts):
            yield replace(missing, requirement=name)


def described_requirements(device: Device) -> str:
    """What a device requires, for the docs' table."""
    title = provider_title(device.provider)
    return ", ".join(REQUIREMENTS[name].description.format(provider=title) for name in device.requirements)


def overwriting(packages: Sequence[str]) -> str:
    """The fault of several distributions that bring the same module; pip sees no conflict between them."""
    return f"{' and '.join(packages)} are installed together and overwrite each other's files"


def _onnxruntime(device: Device, facts: MachineFacts) -> Iterator[Missing]:
    yield from _fault(facts.onnxruntime_fault())


def _one_onnxruntime(device: Device, facts: MachineFacts) -> Iterator[Missing]:
    packages = facts.onnxruntime_packages(device)
    if len(packages) > 1:
        yield Missing(overwriting(packages))


def _provider(device: Device, facts: MachineFacts) -> Iterator[Missing]:
    if not facts.has_provider(device):
        yield Missing(f"onnxruntime {facts.onnxruntime_version()} is built without {provider_title(device.provider)}")


def _driver(device: Device, facts: MachineFacts) -> Iterator[Missing]:
    yield from _fault(facts.driver_fault())


def _libraries(device: Device, facts: MachineFacts) -> Iterator[Missing]:
    yield from map(Missing, facts.library_faults(device))


def _tensorrt(device: Device, facts: MachineFacts) -> Iterator[Missing]:
    if facts.has_tensorrt():
        return
    if facts.hides_tensorrt():
        yield Missing("TensorRT's Python bindings are installed for the system, and this environment does not see them")
    else:
        yield Missing("TensorRT's Python bindings are not installed")


def _engine(device: Device, facts: MachineFacts) -> Iterator[Missing]:
    if bundle := facts.unprepared():
        yield Missing(f"no engine was prepared for {bundle}", f"edgener-runtime prepare {shlex.quote(str(bundle))}")


def _jetson(device: Device, facts: MachineFacts) -> Iterator[Missing]:
    if not facts.is_jetson():
        yield Missing(
            "this machine is not a Jetson: neither /proc/device-tree/compatible nor /etc/nv_tegra_release names one",
            "Choose another device, or --device auto.",
        )


def _jetpack(device: Device, facts: MachineFacts) -> Iterator[Missing]:
    yield from _fault(facts.jetpack_fault())


def _fault(what: str | None) -> Iterator[Missing]:
    if what:
        yield Missing(what)


REQUIREMENTS = {
    "onnxruntime": Requirement("onnxruntime", _onnxruntime),
    "one onnxruntime": Requirement("no second onnxruntime package", _one_onnxruntime),
    "provider": Requirement("its {provider} provider", _provider),
    "driver": Requirement("a CUDA driver with a GPU", _driver),
    "libraries": Requirement("NVIDIA's libraries that it links", _libraries),
    "tensorrt": Requirement("TensorRT's Python bindings", _tensorrt),
    "engine": Requirement("an engine from `edgener-runtime prepare`", _engine),
    "jetson": Requirement("a Jetson", _jetson),
    "jetpack": Requirement("a JetPack that is new enough", _jetpack),
}

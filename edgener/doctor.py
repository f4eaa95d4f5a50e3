"""The state of this machine: the runtime's probe, and the packages of the build side."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from typing import TYPE_CHECKING

from edgener_runtime.errors import DeviceError
from edgener_runtime.machine.probe.describe import rows
from edgener_runtime.machine.probe.record import Probe, probe

if TYPE_CHECKING:
    from packaging.requirements import Requirement


@dataclass(frozen=True)
class BuildRequirement:
    """A package that edgener requires: name, pip requirement, installed version, and whether that version fits."""

    name: str
    requirement: str
    installed: str | None
    fits: bool


@dataclass(frozen=True)
class Examination:
    """edgener's version, the packages it requires, and the result of the runtime's probe."""

    edgener: str
    build: tuple[BuildRequirement, ...]
    probe: Probe
    schema_version: int = 1

    def require_build(self) -> None:
        """Raise DeviceError where a package of the build side is missing or does not fit."""
        unfit = [package for package in self.build if not package.fits]
        if unfit:
            found = "; ".join(f"{package.requirement}, found {package.installed or 'none'}" for package in unfit)
            line = " ".join(f'"{package.requirement}"' for package in unfit)
            raise DeviceError(f"edgener {self.edgener} needs {found}", f"pip install {line}")


def examine() -> Examination:
    """Examine this environment and this machine without a heavy import."""
    return Examination(version("edgener"), installed_requirements(requires("edgener") or []), probe())


def installed_requirements(requirements: list[str]) -> tuple[BuildRequirement, ...]:
    """The installed versions of these requirements, without those of extras."""
    from packaging.requirements import Requirement  # a dependency of transformers

    parsed = [Requirement(text) for text in requirements]
    return tuple(_installed(entry) for entry in parsed if not entry.marker or entry.marker.evaluate({"extra": ""}))


def _installed(entry: Requirement) -> BuildRequirement:
    try:
        found = version(entry.name)
    except PackageNotFoundError:
        return BuildRequirement(entry.name, _requirement(entry), None, False)
    return BuildRequirement(entry.name, _requirement(entry), found, entry.specifier.contains(found, prereleases=True))


def _requirement(entry: Requirement) -> str:
    extras = f"[{','.join(sorted(entry.extras))}]" if entry.extras else ""
    return f"{entry.name}{extras}{entry.specifier}"


def describe_build(found: Examination) -> list[str]:
    """The build side's packages as lines of text."""
    unfit = [package for package in found.build if not package.fits]
    fitting = ", ".join(f"{package.name} {package.installed}" for package in found.build if package.fits)
    missing = [f"missing: {package.requirement}, found {package.installed or 'none'}" for package in unfit]
    return [
        *rows("edgener", found.edgener),
        *rows("build", fitting),
        *(line for text in missing for line in rows("", text)),
    ]

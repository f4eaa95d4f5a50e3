"""The machine in a result: what two results must share so that their figures can be compared."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path

from edgener_runtime.commissioning.bench.results.record import MachineFingerprint
from edgener_runtime.machine.probe.reading import HERE, is_here, read_text
from edgener_runtime.machine.probe.record import Probe, probe

from .notes import boost, governor

# Packages in a probe that do not compute anything that is measured.
_ASIDE = ("click", "edgener")
_GPU_LIBRARIES = ("libcudart", "libcublas", "libcudnn", "libnvinfer")
# Files that container engines create, and parts of the cgroup paths of the others.
_CONTAINER_FILES = {".dockerenv": "docker", "run/.containerenv": "podman"}
_CONTAINER_CGROUPS = re.compile(r"kubepods|docker|libpod|lxc|containerd")


def fingerprint(root: Path = HERE) -> MachineFingerprint:
    """The fingerprint of this machine, or of a copy of another's files below `root`. Raises UserInputError."""
    found = probe(root)
    board = found.jetson
    return MachineFingerprint(
        cpu=found.cpu.model,
        isa=found.cpu.isa,
        architecture=found.cpu.architecture,
        cores=found.cpu.usable or found.cpu.cores,
        memory=found.memory.total,
        core_limit=found.cpu.limit,
        memory_limit=found.memory.limit,
        os=_os(root),
        kernel=_kernel(root),
        container=_container(root),
        governor=governor(root),
        boost=boost(root),
        gpus=tuple(gpu.name for gpu in found.driver.gpus),
        driver=_driver(root, found),
        board=board.model if board else None,
        jetpack=board.jetpack if board else None,
        power_mode=board.power_mode if board else None,
        libraries=_libraries(found),
    )


def _os(root: Path) -> str:
    """The distribution's own name, which includes its version."""
    name = re.search(r'^PRETTY_NAME="?(.+?)"?$', read_text(root / "etc" / "os-release"), re.MULTILINE)
    return name[1] if name else f"{platform.system()} {platform.release()}" if is_here(root) else "unknown"


def _kernel(root: Path) -> str:
    release = read_text(root / "proc" / "sys" / "kernel" / "osrelease")
    return release or (platform.release() if is_here(root) else "unknown")


def _container(root: Path) -> str | None:
    """The kind of container around this process, or None."""
    for file, kind in _CONTAINER_FILES.items():
        if (root / file).exists():
            return kind
    if kind := read_text(root / "run" / "systemd" / "container"):
        return kind
    if is_here(root) and "KUBERNETES_SERVICE_HOST" in os.environ:
        return "kubernetes"
    named = _CONTAINER_CGROUPS.search(read_text(root / "proc" / "1" / "cgroup"))
    return {"kubepods": "kubernetes", "libpod": "podman"}.get(named[0], named[0]) if named else None


def _driver(root: Path, found: Probe) -> str | None:
    """The version of NVIDIA's driver and the newest CUDA that it supports."""
    module = read_text(root / "sys" / "module" / "nvidia" / "version")
    cuda = found.driver.version
    return ", ".join(filter(None, (module and f"NVIDIA {module}", cuda and f"CUDA {cuda}"))) or None


def _libraries(found: Probe) -> dict[str, str]:
    """Python and its packages; NVIDIA's libraries if there is a GPU or a Jetson."""
    named = {"python": found.packages.python} if found.packages.python else {}
    named |= {package.name: package.version for package in found.packages.installed if package.name not in _ASIDE}
    if found.driver.gpus or found.jetson:
        named |= {library.name: library.version for library in found.libraries if library.name in _GPU_LIBRARIES}
    return named

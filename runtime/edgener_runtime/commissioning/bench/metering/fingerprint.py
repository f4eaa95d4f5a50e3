"""The machine as a result tells it: what two of them must share for their figures to be held against each other."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path

from edgener_runtime.commissioning.bench.results.record import Fingerprint
from edgener_runtime.machine.probe.reading import HERE, is_here, read_text
from edgener_runtime.machine.probe.record import Probe, probe

from .notes import boost, governor

# Packages, of those that a probe tells, that compute nothing of what is measured.
_ASIDE = ("click", "edgener")
_GPU_LIBRARIES = ("libcudart", "libcublas", "libcudnn", "libnvinfer")
# What container engines leave for their processes to see; a prefix of the path of a cgroup, for the rest.
_CONTAINER_FILES = {".dockerenv": "docker", "run/.containerenv": "podman"}
_CONTAINER_CGROUPS = re.compile(r"kubepods|docker|libpod|lxc|containerd")


def fingerprint(root: Path = HERE) -> Fingerprint:
    """This machine's, or that of a copy of another's files below `root`. Raises UserInputError where that is none."""
    found = probe(root)
    board = found.jetson
    return Fingerprint(
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
    """By the distribution's own name, which says its version."""
    told = re.search(r'^PRETTY_NAME="?(.+?)"?$', read_text(root / "etc" / "os-release"), re.MULTILINE)
    return told[1] if told else f"{platform.system()} {platform.release()}" if is_here(root) else "unknown"


def _kernel(root: Path) -> str:
    told = read_text(root / "proc" / "sys" / "kernel" / "osrelease")
    return told or (platform.release() if is_here(root) else "unknown")


def _container(root: Path) -> str | None:
    """The kind of container that this is in, or None."""
    for file, kind in _CONTAINER_FILES.items():
        if (root / file).exists():
            return kind
    if told := read_text(root / "run" / "systemd" / "container"):
        return told
    if is_here(root) and "KUBERNETES_SERVICE_HOST" in os.environ:
        return "kubernetes"
    named = _CONTAINER_CGROUPS.search(read_text(root / "proc" / "1" / "cgroup"))
    return {"kubepods": "kubernetes", "libpod": "podman"}.get(named[0], named[0]) if named else None


def _driver(root: Path, found: Probe) -> str | None:
    """The version of NVIDIA's driver and the newest CUDA that it serves."""
    module = read_text(root / "sys" / "module" / "nvidia" / "version")
    cuda = found.driver.version
    return ", ".join(filter(None, (module and f"NVIDIA {module}", cuda and f"CUDA {cuda}"))) or None


def _libraries(found: Probe) -> dict[str, str]:
    """Python and its packages; NVIDIA's libraries where there is something to run them."""
    named = {"python": found.packages.python} if found.packages.python else {}
    named |= {package.name: package.version for package in found.packages.installed if package.name not in _ASIDE}
    if found.driver.gpus or found.jetson:
        named |= {library.name: library.version for library in found.libraries if library.name in _GPU_LIBRARIES}
    return named

"""The machine in a report: a few facts for people, and all findings of the probe."""

from __future__ import annotations

import platform
from dataclasses import asdict
from pathlib import Path
from typing import Any

from edgener_runtime.machine.cpu import cpu_model, isa, usable_cores
from edgener_runtime.machine.probe.machine import memory
from edgener_runtime.machine.probe.reading import HERE

from .report import SelftestMachine

_PACKAGES = ("onnxruntime", "onnxruntime-gpu", "numpy", "tokenizers", "tensorrt")


def probe_all() -> dict[str, Any]:
    """The probe's findings in JSON types; files by name only, because folders may contain names of people."""
    from edgener_runtime.machine.probe.record import probe

    found = asdict(probe())
    for library in found["libraries"]:
        library["file"] = Path(library["file"]).name
    return found


def describe(probe: dict[str, Any], name: str | None, emulated_by: str | None) -> SelftestMachine:
    """This machine; its name is the one given, else a Jetson's model, else the CPU's."""
    jetson = probe.get("jetson") or {}
    cpu = cpu_model()
    return SelftestMachine(
        name=name or jetson.get("model") or (cpu if cpu != "unknown" else platform.machine()),
        architecture=platform.machine(),
        system=" ".join(filter(None, (platform.system(), *platform.libc_ver()))),
        python=platform.python_version(),
        cpu=cpu,
        isa=isa(),
        cores=usable_cores(),
        memory=memory(HERE).total,
        emulated_by=emulated_by,
        probe=probe,
    )


def versions() -> dict[str, str]:
    """The versions of installed packages that influence answers."""
    from importlib.metadata import PackageNotFoundError, version  # loads email and zipfile: not for every start

    from edgener_runtime import __version__

    found = {"edgener-runtime": __version__}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found

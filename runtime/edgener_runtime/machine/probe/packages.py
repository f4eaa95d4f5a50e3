"""The Python packages that decide what can run, and whether they conflict."""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgener_runtime.machine.requirements import overwriting

from .reading import is_here, listed

if TYPE_CHECKING:
    from importlib.metadata import Distribution

# Packages that are listed, by the beginning of their names.
_LISTED = re.compile(r"edgener|numpy$|tokenizers$|click$|onnxruntime|ort[-_]nightly|tensorrt|nvidia[-_]")
_MODULE = "onnxruntime/__init__.py"
COPIED_SITES = ("usr/lib/python3*/dist-packages", "usr/local/lib/python3*/*-packages", "usr/lib/python3*/site-packages")


@dataclass(frozen=True)
class Package:
    """An installed distribution."""

    name: str
    version: str


@dataclass(frozen=True)
class Packages:
    """Python's version, the packages that matter, the onnxruntimes among them, and what is wrong with those.

    `python` is None in a copy of another machine's files.
    """

    python: str | None
    installed: tuple[Package, ...]
    onnxruntime: tuple[Package, ...]
    faults: tuple[str, ...]


def package_folders(root: Path) -> list[Path]:
    """Where Python's packages lie: this process's own path, or the system's folders of a copy."""
    if is_here(root):
        return [Path(name) for name in sys.path if name and Path(name).is_dir()]
    return [path for pattern in COPIED_SITES for path in listed(root, pattern) if path.is_dir()]


def packages(root: Path, sites: list[Path]) -> Packages:
    """What is installed in these folders."""
    from importlib.metadata import distributions  # loads email and zipfile: not for every start

    found = {_name(entry): entry for entry in reversed(list(distributions(path=[str(site) for site in sites])))}
    shown = [entry for name, entry in sorted(found.items()) if _LISTED.match(name)]
    ours = [entry for entry in shown if _is_onnxruntime(entry)]
    return Packages(
        platform.python_version() if is_here(root) else None,
        tuple(_package(entry) for entry in shown),
        tuple(_package(entry) for entry in ours),
        tuple(_faults(ours)),
    )


def named(found: Iterable[Package]) -> tuple[str, ...]:
    """Each with its version, as in `onnxruntime-gpu 1.31.1`."""
    return tuple(f"{package.name} {package.version}" for package in found)


def _faults(ours: list[Distribution]) -> list[str]:
    """Two of them write the same files, pip says nothing, and uninstalling one removes the other's files too."""
    if not ours:
        return ["no onnxruntime is installed"]
    names = named(map(_package, ours))
    if len(ours) > 1:
        return [overwriting(names)]
    gone = _registers_module(ours[0]) and not Path(str(ours[0].locate_file(_MODULE))).is_file()
    return [f"{names[0]} is registered, but its files are gone"] if gone else []


def _is_onnxruntime(entry: Distribution) -> bool:
    """onnxruntime-extensions and the like are named so too, but bring another module."""
    if not _name(entry).startswith(("onnxruntime", "ort")):
        return False
    top = entry.read_text("top_level.txt")
    if top is not None:
        return "onnxruntime" in top.split()
    return _registers_module(entry)


def _registers_module(entry: Distribution) -> bool:
    """By the record itself: `files` leaves out what is gone, from Python 3.12 on."""
    return any(line.startswith(f"{_MODULE},") for line in (entry.read_text("RECORD") or "").splitlines())


def _package(entry: Distribution) -> Package:
    return Package(_name(entry), entry.version or "unknown")


def _name(entry: Distribution) -> str:
    """In the spelling of the package index; empty where it is damaged, which Pythons report in various ways."""
    try:
        names = entry.metadata.get_all("Name") or [""]
    except (OSError, AttributeError):
        return ""
    return re.sub(r"[-_.]+", "-", str(names[0])).lower()

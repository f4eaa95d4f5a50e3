"""The Python packages that decide what can run, and whether they stand in each other's way."""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .reading import is_here, listed

if TYPE_CHECKING:
    from importlib.metadata import Distribution

# Packages that are worth telling of, by the beginning of their names.
_TOLD = re.compile(r"edgener|numpy$|tokenizers$|click$|onnxruntime|ort[-_]nightly|tensorrt|nvidia[-_]")
_MODULE = "onnxruntime/__init__.py"
COPIED_SITES = ("usr/lib/python3*/dist-packages", "usr/local/lib/python3*/*-packages", "usr/lib/python3*/site-packages")


@dataclass(frozen=True)
class Package:
    """An installed distribution."""

    name: str
    version: str


@dataclass(frozen=True)
class Packages:
    """Python's version, the packages that matter, those of them that are an onnxruntime, and what is wrong with these.

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
    told = [entry for name, entry in sorted(found.items()) if _TOLD.match(name)]
    ours = [entry for entry in told if _is_onnxruntime(entry)]
    return Packages(
        platform.python_version() if is_here(root) else None,
        tuple(_package(entry) for entry in told),
        tuple(_package(entry) for entry in ours),
        tuple(_faults(ours)),
    )


def name_all(found: Iterable[Package]) -> str:
    """`onnxruntime 1.32.0 and onnxruntime-gpu 1.31.1`."""
    return " and ".join(f"{package.name} {package.version}" for package in found)


def _faults(ours: list[Distribution]) -> list[str]:
    """Two of them write the same files, pip says nothing, and uninstalling one takes the other's files along."""
    named = name_all(map(_package, ours))
    if not ours:
        return ["no onnxruntime is installed"]
    if len(ours) > 1:
        return [f"{named} are installed together and overwrite each other's files"]
    gone = _registers_module(ours[0]) and not Path(str(ours[0].locate_file(_MODULE))).is_file()
    return [f"{named} is registered, but its files are gone"] if gone else []


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
    """In the spelling of the package index; empty where it is damaged, which Pythons tell in various ways."""
    try:
        names = entry.metadata.get_all("Name") or [""]
    except (OSError, AttributeError):
        return ""
    return re.sub(r"[-_.]+", "-", str(names[0])).lower()

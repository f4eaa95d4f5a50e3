"""NVIDIA's libraries as files: in the folders of the loader, and in wheels.

None is loaded: libnvinfer takes hundreds of megabytes, and a faulty library ends the process.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .elf import needed_libraries
from .reading import is_here, listed, read_text

STEMS = (
    "libcudart", "libcublas", "libcublasLt", "libcufft", "libcurand", "libnvrtc", "libcudnn", "libnvinfer",
    "libnvinfer_plugin", "libnvonnxparser", "libnvdla_compiler", "libtensorrt_rtx", "libtensorrt_onnxparser_rtx",
)  # fmt: skip
_FILE = re.compile(rf"({'|'.join(STEMS)})\.so(?:\.([0-9.]+))?")

LOADED, WHEEL, UNLISTED = "loader", "wheel", "not where the loader looks"
_ALWAYS = ("lib", "usr/lib", "lib64", "usr/lib64")
_WHEELS = ("nvidia/*/lib", "tensorrt_libs", "tensorrt_rtx_libs")  # in site-packages
_TOOLKITS = ("usr/local/cuda*/lib64", "usr/local/cuda*/targets/*/lib")


@dataclass(frozen=True)
class Library:
    """A library: its name, the version in its file name, its file, and how it is found."""

    name: str
    version: str
    file: str
    found: str


@dataclass(frozen=True)
class Folder:
    """A folder that may have libraries, and how they are found there."""

    path: Path
    found: str


def library_folders(root: Path, sites: list[Path]) -> tuple[Folder, ...]:
    """Folders that may have libraries, in order of search; `sites` are the folders of Python's packages."""
    variable = os.environ.get("LD_LIBRARY_PATH", "") if is_here(root) else ""
    folders = [
        *(Folder(Path(name), LOADED) for name in variable.split(":") if name),
        *(Folder(path, LOADED) for path in _loader_folders(root)),
        *(Folder(path, WHEEL) for site in sites for pattern in _WHEELS for path in listed(site, pattern)),
        *(Folder(path, UNLISTED) for pattern in _TOOLKITS for path in listed(root, pattern)),
    ]
    first: dict[Path, Folder] = {}
    for folder in folders:
        if folder.path.is_dir():
            first.setdefault(folder.path.resolve(), folder)
    return tuple(first.values())


def find_libraries(folders: tuple[Folder, ...]) -> tuple[Library, ...]:
    """Every one of NVIDIA's libraries in these folders, each file once, by its longest version."""
    best: dict[Path, Library] = {}
    for folder in folders:
        for file in listed(folder.path, "lib*.so*"):
            if named := _FILE.fullmatch(file.name):
                library = Library(named[1], named[2] or "", str(file), folder.found)
                known = best.setdefault(file.resolve(), library)
                if len(known.version) < len(library.version):
                    best[file.resolve()] = library
    return tuple(sorted(best.values(), key=lambda library: (STEMS.index(library.name), library.file)))


def missing_libraries(file: Path, folders: tuple[Folder, ...]) -> tuple[str, ...]:
    """NVIDIA's libraries that a library needs, directly or through another, and that are in none of the folders.

    Libraries that the loader does not find are missing too, as those of an unpacked toolkit that is not registered.
    """
    reachable = [folder.path for folder in folders if folder.found != UNLISTED]
    missing: dict[str, None] = {}
    seen: set[str] = set()
    waiting = [file]
    while waiting:
        for name in needed_libraries(waiting.pop()):
            if name in seen or not _FILE.fullmatch(name):
                continue
            seen.add(name)
            found = next((path / name for path in reachable if (path / name).is_file()), None)
            if found:
                waiting.append(found)
            else:
                missing[name] = None
    return tuple(missing)


def _loader_folders(root: Path) -> Iterator[Path]:
    """The folders of /etc/ld.so.conf and the files that it includes, and the loader's built-in folders."""
    yield from _listed_in(root, root / "etc" / "ld.so.conf", depth=4)
    for name in _ALWAYS:
        yield root / name
        yield from listed(root / name, "*-linux-gnu")


def _listed_in(root: Path, file: Path, depth: int) -> Iterator[Path]:
    for line in read_text(file).splitlines():
        words = line.partition("#")[0].split()
        if len(words) == 2 and words[0] == "include" and depth:
            pattern = words[1] if words[1].startswith("/") else f"/etc/{words[1]}"
            for included in listed(root, pattern.lstrip("/")):
                yield from _listed_in(root, included, depth - 1)
        elif len(words) == 1:
            yield root / words[0].lstrip("/")

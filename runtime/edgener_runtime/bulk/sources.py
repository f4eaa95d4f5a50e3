"""The files of a bulk job: what is read, and where the results go."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgener_runtime.errors import UserInputError

from .formats.base import TableFormat
from .formats.table import AUTO, by_suffix, format_of

_SHOWN = 3  # names of files in a message


@dataclass(frozen=True)
class SourceFile:
    """A file to tag: its path, its name in messages and in a folder of results, and its format."""

    path: Path
    name: str
    format: TableFormat
    output: str

    def fingerprint(self) -> dict[str, Any]:
        """What changes when the file does."""
        found = self.path.stat()
        return {"name": self.name, "format": self.format.name, "bytes": found.st_size, "modified_ns": found.st_mtime_ns}


@dataclass(frozen=True)
class OutputPaths:
    """Where a job's results go: the file or folder of results, the rejected rows, and the unfinished state."""

    output: Path

    @property
    def rejects(self) -> Path:
        """The file of rejected rows."""
        return self.output.with_name(f"{self.output.name}.rejects.jsonl")

    @property
    def state(self) -> Path:
        """The folder of the unfinished job."""
        return self.output.with_name(f"{self.output.name}.unfinished")


def find_sources(source: Path, format_name: str = AUTO) -> list[SourceFile]:
    """The file, or those in and below a folder, sorted by name; names that begin with a dot or _ are left out.

    Raises UserInputError where there is none, or one whose format is not known.
    """
    if not source.exists():
        raise UserInputError(f"{source} does not exist", "Check the path.")
    if source.is_dir():
        names = sorted(path.relative_to(source).as_posix() for path in source.rglob("*") if path.is_file())
        names = [name for name in names if not any(part.startswith((".", "_")) for part in name.split("/"))]
        found = [_source(source / name, name, format_name) for name in names]
    elif source.is_file():
        found = [_source(source, source.name, format_name)]
    else:
        raise UserInputError(f"{source} is not a regular file, which workers can read in parts", "Write it to a file.")
    if not found:
        raise UserInputError(f"{source} has no files to tag", "Name a folder with files, or a file.")
    _check_distinct(found)
    return found


def _source(path: Path, name: str, format_name: str) -> SourceFile:
    found = format_of(path, format_name)
    output = name if path.suffix.lower() in found.suffixes and found.output_suffix in found.suffixes else ""
    return SourceFile(path, name, found, output or name.removesuffix(path.suffix) + found.output_suffix)


def _check_distinct(sources: list[SourceFile]) -> None:
    by_output: dict[str, str] = {}
    for source in sources:
        if other := by_output.get(source.output):
            raise UserInputError(
                f"the results of {other} and of {source.name} would both be {source.output}", "Rename one of them."
            )
        by_output[source.output] = source.name


def check_output(source: Path, sources: list[SourceFile], paths: OutputPaths) -> None:
    """Raises UserInputError where the results cannot go there: into the input, or into files that are not results."""
    out, source = paths.output.resolve(), source.resolve()
    if out == source or source in out.parents or out in source.parents:
        raise UserInputError(f"{paths.output} and the input {source} lie in each other", "Name another path: --out")
    if out.exists() and not (out.is_file() or out.is_dir()):
        raise UserInputError(f"{paths.output} is a device or a pipe, expected a file or a folder", "Name a file: --out")
    if source.is_dir():
        _check_folder(sources, paths.output)
        return
    if paths.output.is_dir():
        raise UserInputError(f"{paths.output} is a folder, and {source} is a file", "Name a file: --out")
    named, own = by_suffix(paths.output), sources[0].format
    if named and named.output_suffix != own.output_suffix:
        raise UserInputError(
            f"{paths.output} has the suffix of {named.name}; the results of {own.name} are "
            f"{own.output_suffix.removeprefix('.')}",
            f"Name it {paths.output.with_suffix(own.output_suffix).name}",
        )


def _check_folder(sources: list[SourceFile], out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise UserInputError(f"{out} is a file, and the input is a folder", "Name a folder: --out")
    ours = {source.output for source in sources}
    found = sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file())
    if others := [name for name in found if name not in ours]:
        shown = ", ".join(others[:_SHOWN])
        raise UserInputError(
            f"{out} has files that are not results of this input: {shown}", "Name another folder: --out"
        )

"""Files on their way to the device: each resumed where it was cut, and complete under its hash or not there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from edgener_runtime.base.files import sha256_of, storage_errors, sync
from edgener_runtime.base.partial import remove
from edgener_runtime.errors import BundleError, StorageError

from .release import PublishedFile, file_target

if TYPE_CHECKING:
    from .repository import TrustedRepository

_RESERVE = 16 << 20  # bytes that stay free


class LocalFiles:
    """Files of bundles that the device has, found by size and hash."""

    def __init__(self, folders: Iterable[Path]) -> None:
        self._by_size: dict[int, list[Path]] = {}
        for path, size in _regular_files(folders):
            self._by_size.setdefault(size, []).append(path)
        self._hashes: dict[Path, str] = {}

    def find(self, entry: PublishedFile) -> Path | None:
        """A file with the entry's content, or None."""
        return next((path for path in self._by_size.get(entry.size, ()) if self._hash(path) == entry.sha256), None)

    def _hash(self, path: Path) -> str:
        if path not in self._hashes:
            try:
                self._hashes[path] = sha256_of(path)
            except OSError:  # a damaged disk: the file is fetched again
                self._hashes[path] = ""
        return self._hashes[path]


def _regular_files(folders: Iterable[Path]) -> Iterator[tuple[Path, int]]:
    """The files with their sizes; a bundle that is removed meanwhile has none."""
    for folder in folders:
        with suppress(FileNotFoundError):
            for path in sorted(folder.rglob("*")):
                if path.is_file() and not path.is_symlink():
                    yield path, path.stat().st_size


class Downloads:
    """The folder of files that were fetched, or partly fetched, for the next release."""

    def __init__(self, folder: Path, repository: TrustedRepository) -> None:
        self._folder = folder
        self._repository = repository
        with storage_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)

    def path(self, entry: PublishedFile) -> Path:
        """Where the file is once it is complete."""
        return self._folder / entry.sha256

    def remaining(self, entries: Iterable[PublishedFile]) -> int:
        """The bytes of these files that are still to be fetched."""
        return sum(entry.size - self._fetched(entry) for entry in entries)

    def require_space(self, entries: Sequence[PublishedFile], size: int, place: Path) -> None:
        """Raise StorageError where a disk cannot hold these files and the bundle of `size` bytes that they become.

        On one disk the bundle at `place` links them, so that they need their space once.
        """
        place = next(folder for folder in (place, *place.absolute().parents) if folder.exists())
        if _are_on_one_disk(self._folder, place):
            copied = size - sum(entry.size for entry in entries)
            _require_free(self._folder, self.remaining(entries) + copied)
        else:
            _require_free(self._folder, self.remaining(entries))
            _require_free(place, size)

    def keep_only(self, entries: Iterable[PublishedFile]) -> None:
        """Remove what was fetched for an earlier release."""
        names = {name for entry in entries for name in (entry.sha256, _partial(entry))}
        for path in self._folder.iterdir():
            if path.name not in names:
                remove(path)

    def fetch(self, entry: PublishedFile) -> None:
        """Bring one file here, complete and verified; what is there of it is continued.

        Raises TransferError where it is cut, and BundleError where it is not what was signed.
        """
        final = self.path(entry)
        if final.is_file() and sha256_of(final) == entry.sha256:
            return
        info = self._repository.file(file_target(entry.sha256))
        if info.length != entry.size:
            raise BundleError(f"{info.path} has {info.length:,} signed bytes, its release says {entry.size:,}", _HINT)
        partial = self._folder / _partial(entry)
        resumed = partial.is_file() and partial.stat().st_size > 0
        with storage_errors(partial):
            self._continue(partial, entry)
            if sha256_of(partial) != entry.sha256 and resumed:  # a power cut damages what was not yet on the disk
                remove(partial)
                self._continue(partial, entry)
            if sha256_of(partial) != entry.sha256:
                remove(partial)
                raise BundleError(f"{info.path} is not what was signed: its SHA-256 differs", _HINT)
            sync(partial)
            partial.replace(final)

    def _continue(self, partial: Path, entry: PublishedFile) -> None:
        have = self._fetched(entry)
        with partial.open("r+b" if partial.is_file() else "wb") as file:
            file.truncate(have)
            file.seek(have)
            if have < entry.size:
                for chunk in self._repository.read(self._repository.file(file_target(entry.sha256)), have):
                    file.write(chunk)

    def _fetched(self, entry: PublishedFile) -> int:
        if self.path(entry).is_file():
            return entry.size
        partial = self._folder / _partial(entry)
        size = partial.stat().st_size if partial.is_file() else 0
        return size if size <= entry.size else 0


_HINT = "The source may be attacked, or broken. The installed bundle stays as it is; try again, or another source."


def _are_on_one_disk(*folders: Path) -> bool:
    return len({folder.stat().st_dev for folder in folders}) == 1


def _require_free(folder: Path, size: int) -> None:
    needed, free = size + _RESERVE, shutil.disk_usage(folder).free
    if free < needed:
        raise StorageError(
            f"the disk of {folder} has {free / 1e6:,.1f} MB free; the update needs {needed / 1e6:,.1f} MB",
            "Free some space; what was fetched is kept.",
        )


def _partial(entry: PublishedFile) -> str:
    return f"{entry.sha256}.part"


def assemble(staging: Path, entries: Sequence[PublishedFile], local: LocalFiles, downloads: Downloads) -> None:
    """Lay out a bundle's files in a folder: those that the device has are copied, those that came are linked.

    What came also stays where it is: a bundle that this device refuses is not fetched again.
    """
    for entry in entries:
        final = staging / entry.path
        final.parent.mkdir(parents=True, exist_ok=True)
        have = local.find(entry)
        if have is None:
            _link(downloads.path(entry), final)
        else:
            _copy(have, final)


def _copy(source: Path, final: Path) -> None:
    try:
        shutil.copyfile(source, final)
    except FileNotFoundError:
        raise StorageError(
            f"{source} was removed meanwhile, as edgener-runtime gc does", "Run the command again."
        ) from None


def _link(source: Path, final: Path) -> None:
    try:
        os.link(source, final)
    except OSError:  # another disk, or one without links
        shutil.copyfile(source, final)

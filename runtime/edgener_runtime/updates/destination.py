"""Where an update ends: a folder that is exchanged as a whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from edgener_runtime.base.files import check_replaceable, sha256_of, staged_folder
from edgener_runtime.bundle.manifest import MANIFEST

from .release import PublishedFile

_SMALL = 1 << 20  # bytes
Fill = Callable[[Path], object]
"""Lays out the files of a bundle in an empty folder."""


class Destination(Protocol):
    """Takes whole bundles, and has those from before."""

    def check(self) -> None:
        """Raise an error of ours where no bundle can be taken, before anything is fetched."""

    def folders(self) -> Sequence[Path]:
        """Bundles whose files need not be fetched again."""

    def has(self, version: str, files: Sequence[PublishedFile]) -> bool:
        """Whether this release with these files is what runs here."""

    def refuses(self, version: str) -> str | None:
        """Why a release is not tried again on this device, if so."""

    def take(self, fill: Fill) -> None:
        """Check what `fill` lays out, and let it run from now on. Raises what a check raises; then nothing changes."""


@dataclass(frozen=True)
class FolderDestination:
    """One folder, whose bundle `verify` must accept."""

    out: Path
    verify: Callable[[Path], object]

    def check(self) -> None:
        """Raise UserInputError where the folder has something else than a bundle."""
        check_replaceable(self.out, MANIFEST)

    def folders(self) -> Sequence[Path]:
        """The bundle that is there."""
        return [self.out] if self.out.is_dir() else []

    def has(self, version: str, files: Sequence[PublishedFile]) -> bool:
        """Whether the folder has these files."""
        return has_files(self.out, files)

    def refuses(self, version: str) -> str | None:
        """Every release is tried."""
        return None

    def take(self, fill: Fill) -> None:
        """Exchange the folder."""
        with staged_folder(self.out, MANIFEST) as staging:
            fill(staging)
            self.verify(staging)


def has_files(bundle: Path, files: Sequence[PublishedFile]) -> bool:
    """Whether a folder has every file, the small ones, manifests among them, by hash.

    The large ones are what `verify` and every load compare; to hash them at every look would cost minutes a day.
    """
    if not all((path := bundle / file.path).is_file() and path.stat().st_size == file.size for file in files):
        return False
    return all(sha256_of(bundle / file.path) == file.sha256 for file in files if file.size <= _SMALL)

"""Where an update ends: in the store of the device, or in a folder that is exchanged as a whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from edgener_runtime.base.files import check_replaceable, sha256_of, staged_folder, storage_errors
from edgener_runtime.base.partial import partial, remove_abandoned
from edgener_runtime.bundle.manifest import MANIFEST, read_manifest
from edgener_runtime.bundle.store.folder import BUNDLES
from edgener_runtime.bundle.store.journal import FAILED
from edgener_runtime.bundle.store.store import Store, StoreListing
from edgener_runtime.errors import BundleError

from .release import PublishedFile

STATE = "updates"
"""The folder of a store with what was trusted and fetched."""
_SMALL = 1 << 20  # bytes
Fill = Callable[[Path], object]
"""Lays out the files of a bundle in an empty folder."""


class Destination(Protocol):
    """Takes whole bundles, and has those from before."""

    @property
    def target(self) -> Path:
        """Where the bundle will be; nothing may be there yet."""

    def check(self) -> None:
        """Raise an error of ours where no bundle can be taken, before anything is fetched."""

    def clear(self) -> None:
        """Remove what updates that were killed have left."""

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

    @property
    def target(self) -> Path:
        """The folder."""
        return self.out

    def check(self) -> None:
        """Raise UserInputError where the folder has something else than a bundle."""
        check_replaceable(self.out, MANIFEST)

    def clear(self) -> None:
        """Remove unfinished folders beside this one."""
        remove_abandoned(self.out.resolve())

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


@dataclass(frozen=True)
class StoreDestination:
    """A store of bundles, which tests what it takes and activates it; `variant` is what the device runs."""

    store: Store
    variant: str

    @property
    def target(self) -> Path:
        """The store."""
        return self.store.folder.root

    def check(self) -> None:
        """Every store takes bundles; a new one is made with the first."""

    def clear(self) -> None:
        """Remove bundles that were not wholly laid out or installed."""
        remove_abandoned(self._staging)
        self.store.clear()

    def folders(self) -> Sequence[Path]:
        """Every bundle of the store."""
        return sorted(path for path in (self.store.folder.root / BUNDLES).glob("*") if path.is_dir())

    def has(self, version: str, files: Sequence[PublishedFile]) -> bool:
        """Whether the active bundle is this release, with these files."""
        listing = self._listing()
        return listing is not None and listing.active == version and has_files(self.store.active, files)

    def refuses(self, version: str) -> str | None:
        """Why the release failed here before, or has the same version as what the store has."""
        listing = self._listing()
        known = next((each for each in listing.bundles if each.version == version), None) if listing else None
        if known is None:
            return None
        if known.state == FAILED:
            return f"it failed on this device before: {known.reason}"
        with suppress(BundleError):  # a damaged copy is replaced
            if self.variant not in {entry.name for entry in read_manifest(self.store.folder.of(known)).variants}:
                return f"the store has it without the variant {self.variant}"
        return None

    def take(self, fill: Fill) -> None:
        """Install and activate; the store gets the folder itself, so that its files are on the disk once."""
        with storage_errors(self._staging), partial(self._staging, Path.mkdir) as folder:
            fill(folder)
            self.store.install(folder, move=True)

    @property
    def _staging(self) -> Path:
        return self.store.folder.root / STATE / "bundle"

    def _listing(self) -> StoreListing | None:
        """What the store has, or None where there is no store yet."""
        return self.store.listing() if (self.store.folder.root / BUNDLES).is_dir() else None

"""A store's folder: its link, its bundles and its journal, and the locks under which they change."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from edgener_runtime.base.files import make_folder, read_regular, storage_errors
from edgener_runtime.base.partial import locked
from edgener_runtime.base.printable import escaped
from edgener_runtime.base.serde import SchemaError, from_json, to_json
from edgener_runtime.bundle.manifest import MANIFEST, Manifest, read_manifest
from edgener_runtime.errors import BundleError, StorageError, StoreBusyError

from .disk import Disk
from .journal import FAILED, FOUND, GOOD, StoredBundle, StoreJournal, Switch

_log = logging.getLogger(__name__)
ACTIVE, BUNDLES, JOURNAL, STAGING = "active", "bundles", "journal.json", "staging"
JOURNAL_COPY = "journal.copy.json"
"""Read where a damaged disk has lost the journal, which alone says which bundles failed here."""
INSTALL = "Install a bundle: edgener-runtime install BUNDLE --store STORE"
_PATIENCE = 30.0  # seconds; a change of the journal takes milliseconds, and gc of many bundles some seconds
_MOST_JOURNAL = 1 << 24  # bytes; 500 events have some 100,000
_SPARE = 1 << 20  # bytes for the journal and the file system's own tables
_BESIDE = (".engines", ".tuning.json")  # what is built here for a bundle lies beside it


@dataclass
class StoreFolder:
    """The files of a store. Everything that it writes goes through `disk`."""

    root: Path
    disk: Disk = field(default_factory=Disk)

    @property
    def link(self) -> Path:
        """The link to the active bundle."""
        return self.root / ACTIVE

    @property
    def staging(self) -> Path:
        """Where a bundle is copied to and checked."""
        return self.root / STAGING

    def of(self, entry: StoredBundle) -> Path:
        """The folder of a bundle."""
        return self.root / BUNDLES / entry.folder

    def has(self, entry: StoredBundle) -> bool:
        """Whether a bundle's files are there; of one that failed, the record may outlive them."""
        return (self.of(entry) / MANIFEST).exists()

    def require(self) -> None:
        """Raise BundleError where no store is."""
        if not (self.root / BUNDLES).is_dir():
            raise BundleError(f"{self.root} is not a store of bundles", INSTALL)

    def create(self) -> None:
        """Make the folders that are missing."""
        with storage_errors(self.root):
            make_folder(self.root)
            if not (self.root / BUNDLES).is_dir():
                self.disk.make_folder(self.root / BUNDLES)
                self.disk.sync(self.root)

    def active(self, journal: StoreJournal) -> StoredBundle | None:
        """The bundle that the link names; None where there is no link, or no such bundle."""
        folder = self.linked
        return next((entry for entry in journal.bundles if entry.folder == folder), None)

    @contextmanager
    def installing(self) -> Iterator[None]:
        """Keep others from installing. Raises StoreBusyError where another process installs."""
        with locked(self.root / BUNDLES) as is_mine:
            if is_mine is False:
                raise StoreBusyError(
                    f"another process installs a bundle in {self.root}", "Wait for it to end, and try again."
                )
            yield

    @contextmanager
    def changing(self) -> Iterator[StoreJournal]:
        """The journal, which no other process changes meanwhile. Raises StoreBusyError where that takes long."""
        end = time.monotonic() + _PATIENCE
        while True:
            with locked(self.root) as is_mine:
                if is_mine is not False:
                    yield self._repaired()
                    return
            if time.monotonic() > end:
                raise StoreBusyError(
                    f"another process has changed {self.root} for {_PATIENCE:g} s", "Wait for it to end, and try again."
                )
            time.sleep(0.01)

    def read(self) -> StoreJournal:
        """The journal as it stands, with every bundle that is there; changes nothing, and never waits."""
        journal, _ = self._read()
        return self._with_found(journal.resolved(self._version_of(journal)))

    def damage(self) -> str | None:
        """What is wrong with the journal and not repaired yet, if anything; changes nothing."""
        return self._read()[1]

    def save(self, journal: StoreJournal) -> StoreJournal:
        """Write the journal, durably: all of it or nothing. Raises StorageError."""
        data = to_json(journal).encode("utf-8", "backslashreplace")
        with storage_errors(self.root / JOURNAL):
            self._write(JOURNAL, data)
        with suppress(OSError):  # the journal is what counts
            self._write(JOURNAL_COPY, data)
        return journal

    def _write(self, name: str, data: bytes) -> None:
        fresh = self.root / f"{name}.new"
        self.disk.remove(fresh)  # what a power cut left may be another user's
        self.disk.write(fresh, data)
        self.disk.sync(fresh)
        self.disk.rename(fresh, self.root / name)
        self.disk.sync(self.root)

    def switch(self, journal: StoreJournal, switch: Switch) -> StoreJournal:
        """Point the link to another bundle, durably, and record it. Raises StorageError; then the old one is active."""
        if (entry := journal.find(switch.version)) is None:
            raise BundleError(f"{self.root} has no version {switch.version}", INSTALL)
        self.save(replace(journal, pending=switch))
        fresh = self.root / f"{ACTIVE}.new"
        with storage_errors(self.link):
            self.disk.remove(fresh)
            self.disk.link(f"{BUNDLES}/{entry.folder}", fresh)
            self.disk.rename(fresh, self.link)
            self.disk.sync(self.root)
        return self.save(replace(journal, pending=switch).resolved(switch.version))

    def stage(self, bundle: Path) -> None:
        """Copy a verified bundle to `staging`, durably. Raises StorageError, for too little space before it begins."""
        files = [path for path in sorted(bundle.rglob("*")) if path.is_file()]
        self.clear()
        with storage_errors(self.staging):
            required, free = sum(path.stat().st_size for path in files) + _SPARE, self.disk.free(self.root)
            if required > free:
                raise StorageError(
                    f"{self.root} has {free:,} bytes left, expected {required:,} for {bundle}",
                    f"Free some space, for example with: edgener-runtime gc --store {self.root}",
                )
            folders = [self.staging]
            self.disk.make_folder(self.staging)
            for path in files:
                target = self.staging / path.relative_to(bundle)
                missing = [folder for folder in reversed(target.parents) if self.staging in folder.parents]
                for folder in missing:
                    if folder not in folders:
                        self.disk.make_folder(folder)
                        folders.append(folder)
                self.disk.copy(path, target)
                self.disk.sync(target)
            for folder in reversed(folders):
                self.disk.sync(folder)

    def take(self, bundle: Path) -> None:
        """Move the folder of a verified bundle, which is on this disk, to `staging`, durably. Raises StorageError."""
        self.clear()
        with storage_errors(self.staging):
            for path in (*sorted(bundle.rglob("*"), reverse=True), bundle):
                self.disk.sync(path)
            self.disk.rename(bundle, self.staging)

    def clear(self) -> None:
        """Remove what is staged, and what was built for it. Raises StorageError."""
        with storage_errors(self.staging):
            for end in ("", *_BESIDE):
                self.disk.remove(self.staging.with_name(f"{STAGING}{end}"))

    def clear_changes(self) -> None:
        """Remove a journal and a link that were written and not put in their place. Raises StorageError."""
        with storage_errors(self.root):
            for name in (JOURNAL, JOURNAL_COPY, ACTIVE):
                self.disk.remove(self.root / f"{name}.new")

    def adopt(self, journal: StoreJournal, manifest: Manifest) -> StoreJournal:
        """Make what is staged a bundle of the store, durably."""
        name, number = manifest.version, 1
        while (path := self.root / BUNDLES / name).exists():  # a damaged copy, which may be in use
            name, number = f"{manifest.version}-{number}", number + 1
        with storage_errors(path):
            self.disk.rename(self.staging, path)
            for end in _BESIDE:  # what the selftest has built
                if (built := self.staging.with_name(f"{STAGING}{end}")).exists():
                    self.disk.rename(built, path.with_name(f"{name}{end}"))
            self.disk.sync(path.parent)
            self.disk.sync(self.root)
        entry = StoredBundle(manifest.version, manifest.name, name)
        return self.save(journal.with_bundle(entry).noting("install", entry.version))

    def remove(self, names: list[str]) -> None:
        """Remove bundles' folders, and what was built for them; their manifests go first."""
        with storage_errors(self.root):
            for name in names:
                for path in [self.root / BUNDLES / f"{name}{end}" for end in (f"/{MANIFEST}", "", *_BESIDE)]:
                    self.disk.remove(path)
            self.disk.sync(self.root / BUNDLES)

    def unlisted(self, journal: StoreJournal) -> list[str]:
        """The folders below `bundles` that belong to no bundle of the journal, as a removal that was interrupted."""
        known = {f"{entry.folder}{end}" for entry in journal.bundles for end in ("", *_BESIDE)}
        return sorted(path.name for path in (self.root / BUNDLES).glob("*") if path.name not in known)

    @property
    def linked(self) -> str | None:
        """The name of the folder that the link stands for, whatever is there."""
        try:
            target = self.link.readlink()
        except OSError:
            return None
        return target.name if target.parent == Path(BUNDLES) else None

    def _version_of(self, journal: StoreJournal) -> str | None:
        entry = self.active(journal)
        return entry.version if entry else None

    def _read(self) -> tuple[StoreJournal, str | None]:
        """The journal, or its copy, and why the journal cannot be used, if so."""
        damaged: list[str] = []
        for name in (JOURNAL, JOURNAL_COPY):
            path = self.root / name
            try:
                text = read_regular(path, _MOST_JOURNAL).decode()
                journal = from_json(StoreJournal, text, str(path), ignore_unknown=True)
                journal.check()
                return journal, "; ".join([*damaged, f"{name} is used"]) if damaged else None
            except FileNotFoundError:
                continue
            except (OSError, SchemaError, ValueError, RecursionError) as error:
                damaged.append(f"{name} cannot be read: {escaped(str(error))[:300]}")
        lost = "; ".join([*damaged, "which bundles failed here is not known any more"])
        return StoreJournal(), lost if damaged else None

    def _repaired(self) -> StoreJournal:
        """The journal, made to agree with the disk; saved where that changed it."""
        found, lost = self._read()
        journal = self._with_found(found.resolved(self._version_of(found)))
        if lost:
            _log.warning("%s: %s", self.root, lost)
            with storage_errors(self.root), suppress(FileNotFoundError):  # where the damaged one is the copy
                self.disk.rename(self.root / JOURNAL, self.root / f"{JOURNAL}.damaged")
            journal = journal.noting("repair", self._version_of(journal) or "none", lost)
        return journal if journal == found else self.save(journal)

    def _with_found(self, journal: StoreJournal) -> StoreJournal:
        """With the bundles that are on the disk and not in the journal, and without those that are gone."""
        gone = [entry.version for entry in journal.bundles if entry.state != FAILED and not self.has(entry)]
        journal, linked = journal.without(gone), self.linked
        for name in self.unlisted(journal):
            try:
                manifest = read_manifest(self.root / BUNDLES / name)
            except BundleError:
                continue
            if journal.find(manifest.version) is None:
                state = GOOD if name == linked else FOUND
                journal = journal.with_bundle(StoredBundle(manifest.version, manifest.name, name, state))
        return journal

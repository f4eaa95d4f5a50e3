"""The store of a device's bundles: install, activate, roll back, and remove what is old.

What is active is one link, `active`, which changes at once and after everything it stands for is on the disk: whatever
ends the process or the power, it names a bundle that was checked.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import TypeVar

from edgener_runtime.bundle.manifest import Manifest
from edgener_runtime.bundle.verify import verify_bundle
from edgener_runtime.errors import BundleError, EdgenerError, StorageError, StoreBusyError, UserInputError

from .disk import Disk
from .folder import ACTIVE, BUNDLES, JOURNAL, StoreFolder
from .folder import INSTALL as _INSTALL
from .journal import FAILED, GOOD, NEW, TRIAL, StoredBundle, StoreEvent, StoreJournal, Switch

_log = logging.getLogger(__name__)
TRIAL_ANSWERS = 100
KEEP = 3
MOST_STARTS = 5  # processes that loaded a bundle on trial and did not end in order
Loaded = TypeVar("Loaded")


def _nothing(bundle: Path) -> None:
    """No check."""


@dataclass(frozen=True)
class BundleChecks:
    """What a bundle must pass: each gets its folder and raises EdgenerError.

    `verify` comes before each activation, `selftest` before an activation that is not a rollback.
    """

    verify: Callable[[Path], Manifest] = verify_bundle
    selftest: Callable[[Path], object] = _nothing


@dataclass(frozen=True)
class StoreListing:
    """The bundles of a store, the latest activated first, the version of the active one, and what happened.

    `removed` are the versions whose record outlives their files; `damage` says what is wrong with the journal.
    """

    active: str | None
    bundles: tuple[StoredBundle, ...]
    events: tuple[StoreEvent, ...]
    removed: tuple[str, ...] = ()
    damage: str | None = None


class Store:
    """A folder with the bundles of a device, of which one is active.

    Any number of processes may use it; one at a time installs. `trial` answers must succeed before an activated bundle
    counts as good; with 0, its selftest is enough. Services open the active bundle with `load`, which rolls back.
    """

    def __init__(
        self,
        root: str | PathLike[str],
        checks: BundleChecks = BundleChecks(),
        trial: int = TRIAL_ANSWERS,
        disk: Disk | None = None,
    ) -> None:
        self.folder = StoreFolder(Path(root), disk or Disk())
        self.checks = checks
        self.trial = trial

    @property
    def active(self) -> Path:
        """The link to the active bundle, for whatever loads bundles."""
        return self.folder.link

    def listing(self) -> StoreListing:
        """The bundles; changes nothing."""
        self.folder.require()
        journal = self.folder.read()
        active = self.folder.active(journal)
        latest = sorted(journal.bundles, key=lambda entry: (-entry.activated, entry.version))
        removed = tuple(entry.version for entry in latest if not self.folder.has(entry))
        version = active.version if active else None
        return StoreListing(version, tuple(latest), journal.events, removed, self.folder.damage())

    def install(self, bundle: Path, activate: bool = True, again: bool = False, move: bool = False) -> StoredBundle:
        """Copy a bundle into the store, check the copy, and activate it.

        One that the store has already is checked again; one that has failed here before is refused, unless `again`.
        With `move`, the folder itself becomes the store's: it is on the same disk, and nothing else changes its files.
        Raises what a check raises, BundleError, StorageError for too little space, StoreBusyError; the active bundle
        stays so.
        """
        source = self.checks.verify(bundle)
        self.folder.create()
        with self.folder.installing():
            known = self.folder.read().find(source.version)
            if known and known.state == FAILED and not again:
                raise _has_failed(known)
            try:
                entry = (known and self._whole(known)) or self._added(bundle, source, move)
            except EdgenerError as error:
                self._note_refusal(source.version, error)
                raise
        return self._activate(entry) if activate else entry

    def activate(self, version: str) -> StoredBundle:
        """Make a bundle the active one; `version` may be its first digits. Raises what a check raises."""
        self.folder.require()
        entry = _named(self.folder.read().bundles, version)
        self._check(self.folder.of(entry), entry.version)
        return self._activate(entry)

    def rollback(self, reason: str, failed: str | None = None) -> StoredBundle:
        """Return to the last good bundle, and record why; the active one counts as failed.

        Where `failed` is given and is not active any more, nothing changes. Raises BundleError where there is no other
        that is whole.
        """
        self.folder.require()
        with self.folder.changing() as journal:
            active = self.folder.active(journal)
            if failed is not None and active and active.version != failed:
                return active
            previous = active.version if active else None
            entry = self._last_good(journal, previous)
            switched = self.folder.switch(journal, Switch(entry.version, previous, reason, failed=True))
        _log.warning("rolled back from %s to %s: %s", previous, entry.version, reason)
        return _present(switched, entry.version)

    def confirm(self, version: str) -> None:
        """Record that a bundle on trial is good."""
        with self.folder.changing() as journal:
            entry = journal.find(version)
            if entry and entry.state == TRIAL:
                good = replace(entry, state=GOOD, starts=0)
                self.folder.save(journal.with_bundle(good).noting("confirm", version))

    def answers_left(self, version: str) -> int:
        """The answers that a bundle must give before it counts as good; 0 where it is not on trial."""
        entry = self.folder.read().find(version)
        return entry.trial if entry and entry.state == TRIAL else 0

    def ended(self, version: str) -> None:
        """Record that a process that had loaded a bundle ends in order."""
        with self.folder.changing() as journal:
            entry = journal.find(version)
            if entry and entry.state == TRIAL and entry.starts:
                self.folder.save(journal.with_bundle(replace(entry, starts=entry.starts - 1)))

    def gc(self, keep: int = KEEP) -> tuple[str, ...]:
        """Remove old bundles; the versions that were removed.

        The active one, the last `keep` that a rollback may return to, and those never activated stay.
        """
        self.folder.require()
        self.clear()
        with self.folder.changing() as journal:
            active = self.folder.active(journal)
            kept = journal.candidates(active.version if active else None)[: max(1, keep)]
            gone = [
                entry
                for entry in journal.bundles
                if entry not in (active, *kept) and entry.state != NEW and self.folder.has(entry)
            ]
            unlisted = [name for name in self.folder.unlisted(journal) if name != self.folder.linked]
            for entry in gone:
                journal = journal.noting("remove", entry.version, entry.reason)
            if gone:  # the record of why a bundle failed stays
                self.folder.save(journal.without(entry.version for entry in gone if entry.state != FAILED))
            if gone or unlisted:
                self.folder.remove([*(entry.folder for entry in gone), *unlisted])
            return tuple(entry.version for entry in gone)

    def clear(self) -> None:
        """Remove what killed processes left of an installation or a change; nothing while another process installs."""
        if (self.folder.root / BUNDLES).is_dir():
            with contextlib.suppress(StoreBusyError), self.folder.installing(), self.folder.changing():
                self.folder.clear()
                self.folder.clear_changes()

    def load(self, loader: Callable[[Path], Loaded], is_start: bool = False) -> Loaded:
        """What `loader` makes of the active bundle; one that cannot be loaded is rolled back, with the reason.

        A bundle on trial is rolled back for any error, and where MOST_STARTS processes began with it (`is_start`) and
        did not end in order; a good one only where it is damaged. On a disk that cannot be written the last good one is
        loaded all the same. Raises BundleError where there was never a bundle, and the loader's error where no other is
        left.
        """
        self.folder.require()
        tried: set[str] = set()
        failed: EdgenerError = BundleError(f"{self.folder.root} has no active bundle", _INSTALL)
        while entry := self._next(tried):
            if is_start and self._keeps_ending(entry):
                tried.add(entry.version)
                continue
            try:
                return loader(self.folder.of(entry))
            except EdgenerError as error:
                if not (entry.state == TRIAL or isinstance(error, BundleError)):
                    raise
                tried.add(entry.version)
                failed = error
                if not self._can_roll_back(f"it cannot be loaded: {error.message}", entry, tried):
                    raise
        raise failed

    def _whole(self, entry: StoredBundle) -> StoredBundle | None:
        """A bundle of the store that passes the checks; None where its files are damaged or gone."""
        if not self.folder.has(entry):
            return None
        try:
            self.checks.verify(self.folder.of(entry))
        except BundleError as error:
            _log.warning("the copy in the store is replaced: %s", error.message)
            return None
        self._check(self.folder.of(entry), entry.version)
        return entry

    def _added(self, bundle: Path, source: Manifest, move: bool) -> StoredBundle:
        """A bundle, or a copy of it, as one of the store, which has passed the checks."""
        try:
            (self.folder.take if move else self.folder.stage)(bundle)
            self._check(self.folder.staging, source.version)
            with self.folder.changing() as journal:
                return _present(self.folder.adopt(journal, source), source.version)
        finally:
            with contextlib.suppress(StorageError):
                self.folder.clear()

    def _check(self, folder: Path, version: str) -> None:
        """Raise what a check raises."""
        found = self.checks.verify(folder).version
        if found != version:
            raise BundleError(f"{folder} is version {found}, expected {version}", "Install the bundle again.")
        self.checks.selftest(folder)

    def _activate(self, entry: StoredBundle) -> StoredBundle:
        with self.folder.changing() as journal:
            active = self.folder.active(journal)
            entry = _present(journal, entry.version)
            if active == entry:
                return entry
            previous = active.version if active else None
            switch = Switch(entry.version, previous, "activated", trial=self.trial)
            return _present(self.folder.switch(journal, switch), entry.version)

    def _last_good(self, journal: StoreJournal, active: str | None) -> StoredBundle:
        """The best candidate that is whole. Raises BundleError where there is none."""
        for entry in journal.candidates(active):
            try:
                self.checks.verify(self.folder.of(entry))
            except BundleError as error:
                _log.warning("not rolled back to %s: %s", entry.version, error.message)
            else:
                return entry
        stays = f"version {active} stays active" if active else "nothing is active"
        raise BundleError(f"{self.folder.root} has no other good bundle; {stays}", _INSTALL)

    def _next(self, tried: set[str]) -> StoredBundle | None:
        """The bundle to load: the active one, or the best that was not tried, if any."""
        journal = self.folder.read()
        active = self.folder.active(journal)
        if active and active.version not in tried:
            return active
        left = [entry for entry in journal.candidates(None) if entry.version not in tried]
        if left and active is None:
            with contextlib.suppress(StorageError, BundleError):
                return self.rollback("the link to the active bundle was lost")
        return left[0] if left else None

    def _can_roll_back(self, reason: str, entry: StoredBundle, tried: set[str]) -> bool:
        """Whether another bundle is left to load; the link is switched to it unless the disk cannot be written."""
        try:
            self.rollback(reason, entry.version)
        except BundleError as error:
            _log.error("%s", error.message)
            return False
        except StorageError as error:
            _log.error("the last good bundle is used, but stays so only in this process: %s", error.message)
            return any(other.version not in tried for other in self.folder.read().candidates(entry.version))
        return True

    def _keeps_ending(self, entry: StoredBundle) -> bool:
        """Count a start with a bundle on trial; whether it was rolled back, as too many before did not end in order."""
        if entry.state != TRIAL:
            return False
        if entry.starts >= MOST_STARTS:
            reason = f"{entry.starts} processes that used it did not end in order"
            return self._can_roll_back(reason, entry, {entry.version})
        with contextlib.suppress(StorageError), self.folder.changing() as journal:
            if found := journal.find(entry.version):
                self.folder.save(journal.with_bundle(replace(found, starts=found.starts + 1)))
        return False

    def _note_refusal(self, version: str, error: EdgenerError) -> None:
        with contextlib.suppress(StorageError), self.folder.changing() as journal:
            self.folder.save(journal.noting("refuse", version, error.message))


def store_of(link: Path) -> Store | None:
    """The store whose link this path is, whether the link is there or lost; None for any other path."""
    root = Path(link).parent
    return Store(root) if link.name == ACTIVE and (root / BUNDLES).is_dir() and (root / JOURNAL).exists() else None


def _present(journal: StoreJournal, version: str) -> StoredBundle:
    """The bundle of a version. Raises UserInputError where it was removed meanwhile."""
    if entry := journal.find(version):
        return entry
    raise UserInputError(f"version {version} is not in the store any more", _INSTALL)


def _named(bundles: Sequence[StoredBundle], version: str) -> StoredBundle:
    """The bundle whose version begins so. Raises UserInputError for none or several."""
    found = [entry for entry in bundles if version and entry.version.startswith(version)]
    if len(found) == 1:
        return found[0]
    known = ", ".join(entry.version for entry in bundles) or "nothing"
    raise UserInputError(f"{len(found)} versions begin with {version!r}, expected one", f"The store has: {known}.")


def _has_failed(entry: StoredBundle) -> BundleError:
    return BundleError(
        f"version {entry.version} has failed on this device before: {entry.reason}",
        "To try it again: edgener-runtime install BUNDLE --again --store STORE",
    )

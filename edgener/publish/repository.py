"""The signed metadata of a repository of updates: four TUF roles in static files, written with python-tuf."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgener_runtime.base.files import write_atomic
from edgener_runtime.errors import BundleError, UserInputError

from .keys import ROLES, Keyring, RoleSigner

if TYPE_CHECKING:
    from tuf.api.metadata import Metadata, Root, Snapshot, TargetFile, Targets, Timestamp

VALID_DAYS = {"root": 365, "targets": 365, "snapshot": 365, "timestamp": 14}
_SOON = datetime.timedelta(days=30)  # before it expires, a refresh signs a role again
_HINT = "Restore the repository from a copy, or publish into an empty folder with keys of its own."


@dataclass(frozen=True)
class RoleState:
    """A role as it is signed now."""

    role: str
    version: int
    expires: str
    keys: int
    threshold: int


class SignedMetadata:
    """The metadata of one repository, read and verified, changed, and written so that devices see all or nothing."""

    def __init__(self, folder: Path, keys: Keyring) -> None:
        self._folder = folder
        self._keys = keys
        self._root_is_new = False
        self._old_signers: list[RoleSigner] = []
        self.root: Metadata[Root]
        self.targets: Metadata[Targets]
        self.snapshot: Metadata[Snapshot]
        self.timestamp: Metadata[Timestamp]

    @classmethod
    def create(cls, folder: Path, keys: Keyring, thresholds: Mapping[str, int]) -> SignedMetadata:
        """The metadata of a repository that has no files yet."""
        from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, Targets, Timestamp

        new = cls(folder, keys)
        new.root = Metadata(Root(expires=_until("root")))
        new.targets = Metadata(Targets())
        new.snapshot = Metadata(Snapshot(meta={"targets.json": MetaFile()}))
        new.timestamp = Metadata(Timestamp())
        for part in (new.targets, new.snapshot, new.timestamp):
            part.signed.version = 0  # the first signature makes it 1
        new._set_keys(thresholds)
        return new

    @classmethod
    def read(cls, folder: Path, keys: Keyring) -> SignedMetadata:
        """The metadata of a repository. Raises BundleError where it was changed since it was signed."""
        from tuf.api.exceptions import RepositoryError, StorageError
        from tuf.api.metadata import Metadata, Root, Snapshot, Targets, Timestamp

        read = cls(folder, keys)
        try:
            read.root = Metadata[Root].from_file(str(folder / f"{_latest_root(folder)}.root.json"))
            read.timestamp = Metadata[Timestamp].from_file(str(folder / "timestamp.json"))
            snapshot = read.timestamp.signed.snapshot_meta
            read.snapshot = Metadata[Snapshot].from_file(str(folder / f"{snapshot.version}.snapshot.json"))
            version = read.snapshot.signed.meta["targets.json"].version
            read.targets = Metadata[Targets].from_file(str(folder / f"{version}.targets.json"))
            for role in ROLES:
                part: Metadata[Any] = getattr(read, role)
                read.root.signed.verify_delegate(role, part.signed_bytes, part.signatures)
        except (RepositoryError, StorageError, KeyError) as error:
            raise BundleError(f"the metadata in {folder} is damaged or was changed: {error}", _HINT) from None
        return read

    @property
    def files(self) -> dict[str, TargetFile]:
        """Each signed file by its name."""
        found: dict[str, TargetFile] = self.targets.signed.targets
        return found

    def states(self) -> list[RoleState]:
        """What is signed now, for people."""
        parts: list[tuple[str, Metadata[Any]]] = [(role, getattr(self, role)) for role in ROLES]
        roles = self.root.signed.roles
        return [
            RoleState(
                role, part.signed.version, f"{part.signed.expires:%Y-%m-%d}",
                len(roles[role].keyids), roles[role].threshold,
            )
            for role, part in parts
        ]  # fmt: skip

    def sign(self, days: int, again: Iterable[str] = ()) -> None:
        """Sign the timestamp for so many days, and first each role of `again`, and those that expire soon.

        What expires soon and has no keys here stays as it is. The timestamp is written last: until then, devices see
        what was there before. Raises UserInputError before anything is written where keys are missing.
        """
        due = self._due(again)
        for role in due:
            self._signers(role)
        if "targets" in due:
            self._sign_part("targets", VALID_DAYS["targets"])
            self.snapshot.signed.meta["targets.json"] = self._write_versioned("targets")
        if "snapshot" in due:
            self._sign_part("snapshot", VALID_DAYS["snapshot"])
            self.timestamp.signed.snapshot_meta = self._write_versioned("snapshot")
        self._sign_part("timestamp", days)
        if "root" in due:
            self._write_root()
        write_atomic(self._folder / "timestamp.json", _to_bytes(self.timestamp))

    def rotate(self, thresholds: Mapping[str, int], old: Keyring) -> None:
        """Replace all keys by those of the keyring; the new root will be signed with the old root's keys too."""
        before = self.root.signed.roles["root"]
        self._old_signers = old.signers_of(before.keyids)
        if len(self._old_signers) < before.threshold:
            raise UserInputError(
                f"the new root needs {before.threshold} signatures of the old root's keys; "
                f"{len(self._old_signers)} are at hand",
                "Name the folders that have them: --old-keys",
            )
        self._set_keys(thresholds)

    def _due(self, again: Iterable[str]) -> set[str]:
        soon = {role for role in ROLES if self._expires_soon(role) and self._can_sign(role)}
        due = {*again, *soon, "timestamp"}
        if self._root_is_new:
            due |= set(ROLES)
        return due | ({"snapshot"} if "targets" in due else set())

    def _can_sign(self, role: str) -> bool:
        known = self.root.signed.roles[role]
        return bool(len(self._keys.signers_of(known.keyids)) >= known.threshold)

    def _expires_soon(self, role: str) -> bool:
        part: Metadata[Any] = getattr(self, role)
        return bool(part.signed.expires - datetime.datetime.now(datetime.timezone.utc) < _SOON)

    def _set_keys(self, thresholds: Mapping[str, int]) -> None:
        self._root_is_new = True
        root = self.root.signed
        for role in ROLES:
            for key_id in list(root.roles[role].keyids):
                root.revoke_key(key_id, role)
            for key in self._keys.public[role].values():
                root.add_key(key, role)
            found, threshold = len(self._keys.public[role]), thresholds.get(role, 1)
            if found < threshold:
                raise UserInputError(
                    f"the role {role} needs {threshold} keys; there are {found}",
                    f"Make more: edgener keygen --out KEYS/{role}-2",
                )
            root.roles[role].threshold = threshold

    def _write_root(self) -> None:
        root = self.root.signed
        path = self._folder / f"{root.version}.root.json"
        if path.exists():
            root.version += 1
        root.expires = _until("root")
        self.root.signatures.clear()
        for signer in {each.key_id: each for each in (*self._old_signers, *self._signers("root"))}.values():
            self.root.sign(signer, append=True)
        write_atomic(self._folder / f"{root.version}.root.json", _to_bytes(self.root))

    def _sign_part(self, role: str, days: int) -> None:
        part: Metadata[Any] = getattr(self, role)
        part.signed.version += 1
        part.signed.expires = _until(role, days)
        part.signatures.clear()
        for signer in self._signers(role):
            part.sign(signer, append=True)

    def _signers(self, role: str) -> list[RoleSigner]:
        """Signers enough for a role. Raises UserInputError where too few keys are at hand."""
        known = self.root.signed.roles[role]
        found = self._keys.signers_of(known.keyids)
        if len(found) < known.threshold:
            raise UserInputError(
                f"{role} needs {known.threshold} signatures of its {len(known.keyids)} keys; {len(found)} are at hand",
                "Name the folders that have them, --keys, or replace the keys: --rotate",
            )
        return found

    def _write_versioned(self, role: str) -> Any:
        from hashlib import sha256

        from tuf.api.metadata import MetaFile

        part: Metadata[Any] = getattr(self, role)
        data = _to_bytes(part)
        write_atomic(self._folder / f"{part.signed.version}.{role}.json", data)
        return MetaFile(part.signed.version, len(data), {"sha256": sha256(data).hexdigest()})


def has_metadata(folder: Path) -> bool:
    """Whether a folder has a root."""
    return _latest_root(folder) > 0


def _latest_root(folder: Path) -> int:
    names = [re.fullmatch(r"(\d+)\.root\.json", path.name) for path in folder.glob("*.root.json")]
    return max((int(found[1]) for found in names if found), default=0)


def _until(role: str, days: int | None = None) -> datetime.datetime:
    now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    return now + datetime.timedelta(days=days or VALID_DAYS[role])


def _to_bytes(part: Metadata[Any]) -> bytes:
    from tuf.api.serialization.json import JSONSerializer

    data: bytes = part.to_bytes(JSONSerializer(compact=True))
    return data

"""Publishing: a bundle's files and the documents that name them go into a repository, and then it is signed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgener_runtime.base.files import sha256_of, storage_errors, sync, write_atomic
from edgener_runtime.base.partial import locked, partial
from edgener_runtime.bundle.manifest import Manifest
from edgener_runtime.errors import BundleError, UserInputError
from edgener_runtime.updates.release import (
    Channel,
    ChannelRelease,
    PublishedFile,
    Release,
    channel_target,
    document,
    file_target,
    read_channel,
    read_release,
    release_target,
)

from .contents import Slim, release_of
from .keys import Keyring
from .repository import RoleState, SignedMetadata, has_metadata

if TYPE_CHECKING:
    from tuf.api.metadata import TargetFile

KEEP = 3  # releases of a channel
EVERY_DEVICE = 100.0  # percent


@dataclass(frozen=True)
class Published:
    """What a repository offers after a release was published: its channel, its roles, and the bytes that were added."""

    release: Release
    channel: Channel
    roles: tuple[RoleState, ...]
    added: int
    size: int


class UpdateRepository:
    """A repository on this disk: `metadata` and `targets` below a folder that a web server can serve as it is."""

    def __init__(self, folder: Path, metadata: SignedMetadata) -> None:
        self._targets = folder / "targets"
        self.metadata = metadata
        self._before = dict(metadata.files)
        self.added = 0

    def keep(self, path: Path, file: PublishedFile) -> None:
        """Take a file in under its hash, if it is not there yet."""
        from tuf.api.metadata import TargetFile

        name = file_target(file.sha256)
        info = TargetFile(file.size, {"sha256": file.sha256}, name)
        final = self._path(info)
        if not (final.is_file() and final.stat().st_size == file.size and sha256_of(final) == file.sha256):
            with storage_errors(final):
                final.parent.mkdir(parents=True, exist_ok=True)
                with partial(final, Path.touch) as temporary:
                    shutil.copyfile(path, temporary)
                    sync(temporary)
                    temporary.replace(final)
            self.added += file.size
        self.metadata.files[name] = info

    def write(self, name: str, data: bytes) -> None:
        """Take a document in."""
        from tuf.api.metadata import TargetFile

        info = TargetFile.from_data(name, data, ["sha256"])
        write_atomic(self._path(info), data)
        self.metadata.files[name] = info

    def read(self, name: str) -> bytes | None:
        """A document that was signed, or None. Raises BundleError where it was changed since."""
        from tuf.api.exceptions import LengthOrHashMismatchError

        if (info := self.metadata.files.get(name)) is None:
            return None
        path = self._path(info)
        try:
            data = path.read_bytes()
            info.verify_length_and_hashes(data)
        except (OSError, LengthOrHashMismatchError) as error:
            raise BundleError(f"{path} is missing or was changed: {error}", "Restore the repository.") from None
        return data

    def channels(self) -> list[Channel]:
        """Every channel."""
        names = [name for name in self.metadata.files if name.startswith("channels/")]
        return [read_channel(self.read(name) or b"", name) for name in names]

    def drop_unused(self) -> None:
        """Sign no more what no channel names, and remove files that devices have had two states of time to fetch."""
        used = {channel_target(channel.name) for channel in self.channels()}
        for channel in self.channels():
            for each in channel.releases:
                name = release_target(each.version)
                release = read_release(self.read(name) or b"", name)
                used |= {name, *(file_target(file.sha256) for file in release.all_files)}
        for name in set(self.metadata.files) - used:
            del self.metadata.files[name]

    def remove_unsigned(self) -> None:
        """Remove files that are signed neither now nor in the state before, which devices may be reading."""
        signed = {self._path(info) for info in (*self._before.values(), *self.metadata.files.values())}
        for path in self._targets.rglob("*"):
            if path.is_file() and path not in signed:
                path.unlink(missing_ok=True)

    def _path(self, info: TargetFile) -> Path:
        folder, _, name = info.path.rpartition("/")
        path: Path = self._targets / folder / f"{info.hashes['sha256']}.{name}"
        return path


def publish(
    bundle: Path, manifest: Manifest, slim: Slim, repository: Path, channel: str, keys: Keyring,
    share: float, days: int, thresholds: Mapping[str, int],
) -> Published:  # fmt: skip
    """Publish a verified bundle as the newest release of a channel, for a share of the devices in percent.

    A release that the channel has already gets the new share and keeps its place. Raises UserInputError where keys are
    missing, BundleError where the repository was changed since it was signed.
    """
    with _opened(repository, keys, thresholds) as opened:
        release = release_of(bundle, manifest, slim, opened.keep)
        opened.write(release_target(release.version), document(release))
        changed = with_release(_channel(opened, channel), ChannelRelease(release.version, share))
        opened.write(channel_target(channel), document(changed))
        opened.drop_unused()
        opened.metadata.sign(days, ["targets"])
        opened.remove_unsigned()
        size = sum(info.length for info in opened.metadata.files.values())
        return Published(release, changed, tuple(opened.metadata.states()), opened.added, size)


def refresh(repository: Path, keys: Keyring, days: int) -> tuple[RoleState, ...]:
    """Sign the timestamp for so many days more, and what else expires soon and has its keys here."""
    with _opened(repository, keys) as opened:
        opened.metadata.sign(days)
        return tuple(opened.metadata.states())


def rotate(
    repository: Path, keys: Keyring, old: Keyring, days: int, thresholds: Mapping[str, int]
) -> tuple[RoleState, ...]:
    """Replace the keys of all roles, and sign everything with the new ones."""
    with _opened(repository, keys) as opened:
        opened.metadata.rotate(thresholds, old)
        opened.metadata.sign(days)
        return tuple(opened.metadata.states())


def with_release(channel: Channel, release: ChannelRelease) -> Channel:
    """A channel with a release: a new one comes first, one that it has keeps its place and gets the new share."""
    known = [each.version for each in channel.releases]
    if release.version in known:
        releases: Sequence[ChannelRelease] = [
            release if each.version == release.version else each for each in channel.releases
        ]
    else:
        releases = (release, *channel.releases)
    return Channel(channel.name, _still_offered(releases))


def _still_offered(releases: Sequence[ChannelRelease]) -> tuple[ChannelRelease, ...]:
    """The newest, and one that is meant for every device, if there is one."""
    kept = releases[:KEEP]
    for_all = [each for each in releases if each.share == EVERY_DEVICE]
    return tuple(kept) if set(kept) & set(for_all) else (*kept, *for_all[:1])


def _channel(opened: UpdateRepository, name: str) -> Channel:
    data = opened.read(channel_target(name))
    return read_channel(data, channel_target(name)) if data is not None else Channel(name, ())


@contextmanager
def _opened(folder: Path, keys: Keyring, thresholds: Mapping[str, int] | None = None) -> Iterator[UpdateRepository]:
    """A repository that no other process changes meanwhile; a new one where `thresholds` says how its roles sign."""
    metadata = folder / "metadata"
    exists = has_metadata(metadata)
    if not exists and thresholds is None:
        raise UserInputError(f"{folder} is not a repository of updates", "Publish a bundle into it first.")
    if not exists and folder.is_dir() and any(folder.iterdir()) and not metadata.is_dir():
        raise UserInputError(f"{folder} is not empty and not a repository of updates", "Name an empty folder.")
    with storage_errors(folder):
        metadata.mkdir(parents=True, exist_ok=True)
    with locked(folder) as is_mine:
        if is_mine is False:
            raise UserInputError(f"another process publishes into {folder}", "Wait until it has ended.")
        create = SignedMetadata.create(metadata, keys, thresholds or {}) if not exists else None
        yield UpdateRepository(folder, create or SignedMetadata.read(metadata, keys))

"""An update of this device's bundle: what is meant for it, what is missing, and one whole folder at the end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from edgener_runtime.base.files import (
    make_folder,
    read_regular,
    storage_errors,
    write_atomic,
)
from edgener_runtime.base.install import install_line
from edgener_runtime.base.partial import locked
from edgener_runtime.errors import BundleError, DeviceError, UserInputError

from .destination import Destination
from .downloads import Downloads, LocalFiles, assemble
from .release import Channel, PublishedFile, Release, channel_target, read_channel, read_release, release_target
from .transports.base import MeteredTransport, TransferBounds
from .transports.open import open_transport

if TYPE_CHECKING:
    from .repository import TrustedRepository

_MOST_ROOT = 512_000  # bytes, as python-tuf has it
UPDATED, UNCHANGED, PLANNED, WAITING, REFUSED = "updated", "unchanged", "planned", "waiting", "refused"
"""A new bundle runs; it was there; a dry run; no release is meant for this device; the release failed here before."""


@dataclass(frozen=True)
class PullRequest:
    """What a device asks for: its variant and channel, and the device's own name, which is never sent."""

    source: str
    variant: str
    channel: str
    device: str
    bounds: TransferBounds = field(default_factory=TransferBounds)
    dry_run: bool = False


@dataclass(frozen=True)
class PullResult:
    """What an update was: `state` is one of the states of this module.

    `files` and `size` are those of the bundle, `missing` and `missing_bytes` what the device did not have.
    """

    state: str
    channel: str
    variant: str
    version: str | None = None
    share: float | None = None
    reason: str | None = None
    files: int = 0
    size: int = 0
    missing: int = 0
    missing_bytes: int = 0
    requests: int = 0
    received: int = 0


def pull(request: PullRequest, destination: Destination, state: Path, root: Path | None) -> PullResult:
    """Bring a device's bundle up to date; at every moment the one that it has is whole.

    `state` keeps what was trusted and what was fetched; `root` is the trusted root, needed the first time.
    Raises BundleError for what is not signed or not whole, TransferError where the source does not answer, and
    StorageError where the disk is too small; the bundle is then as before.
    """
    destination.check()
    _require_library()
    with storage_errors(state):
        make_folder(state)  # it may be in a store, which it then makes
    with locked(state) as is_mine, closing(open_transport(request.source, request.bounds)) as transport:
        if is_mine is False:
            raise DeviceError(f"another pull is at work in {state}", "Wait until it has ended.")
        metered = MeteredTransport(transport, request.bounds)
        repository = _trusted(request.source, metered, state, root)
        result = _update(request, repository, destination, state)
        return replace(result, requests=metered.requests, received=metered.received)


def _require_library() -> None:
    """Raise DeviceError with the command that installs it where python-tuf is missing, for every kind of source."""
    try:
        from . import repository  # noqa: F401
    except ImportError as error:
        raise DeviceError(f"the library for updates cannot be loaded: {error}", install_line("update")) from None


def _trusted(source: str, metered: MeteredTransport, state: Path, root: Path | None) -> TrustedRepository:
    """The repository with its metadata brought up to date."""
    from .repository import TrustedRepository

    kept = state / "trusted-root.json"
    bootstrap = _bootstrap_root(kept, root)
    repository = TrustedRepository(source, metered, state, bootstrap)
    repository.refresh()
    if root:  # only now: a wrong one must not replace the one that this device trusts
        write_atomic(kept, bootstrap)
    return repository


def _bootstrap_root(kept: Path, root: Path | None) -> bytes:
    """The root that this device trusts from the start: the one given, or the one kept before."""
    try:
        return read_regular(root or kept, _MOST_ROOT)
    except FileNotFoundError:
        what = f"{root} does not exist" if root else "this device has no trusted root yet"
        raise UserInputError(what, "Name it: --root ROOT, a copy of the publisher's metadata/1.root.json") from None
    except (OSError, ValueError) as error:
        raise UserInputError(f"cannot read {root or kept}: {error}", "Check its permissions.") from None


def _update(request: PullRequest, repository: TrustedRepository, destination: Destination, state: Path) -> PullResult:
    chosen = _channel(repository, request).release_for(request.device)
    downloads = Downloads(state / "files", repository)
    if not request.dry_run:  # before the space is measured
        destination.clear()
    if chosen is None:
        if not request.dry_run:
            downloads.keep_only(())
        return PullResult(WAITING, request.channel, request.variant)
    files = _release(repository, request.source, chosen.version).files_for(request.variant)
    repository.keep_documents([channel_target(request.channel), release_target(chosen.version)])
    local = LocalFiles(destination.folders())
    found, reason = _state(request, destination, chosen.version, files)
    missing = [] if found in (UNCHANGED, REFUSED) else _once_each(file for file in files if local.find(file) is None)
    if not request.dry_run:  # whatever is there for another release, or for this one, which was installed
        downloads.keep_only(missing)
    if found == UPDATED:
        downloads.require_space(missing, sum(file.size for file in files), destination.target)
        for entry in missing:
            downloads.fetch(entry)
        destination.take(lambda folder: assemble(folder, files, local, downloads))
        downloads.keep_only(())
    return PullResult(
        found, request.channel, request.variant, chosen.version, chosen.share, reason,
        len(files), sum(file.size for file in files), len(missing), sum(file.size for file in missing),
    )  # fmt: skip


def _state(
    request: PullRequest, destination: Destination, version: str, files: Sequence[PublishedFile]
) -> tuple[str, str | None]:
    """What this update will have been, and why where it is refused."""
    if destination.has(version, files):
        return UNCHANGED, None
    if reason := destination.refuses(version):
        return REFUSED, reason
    return (PLANNED if request.dry_run else UPDATED), None


def _channel(repository: TrustedRepository, request: PullRequest) -> Channel:
    name = channel_target(request.channel)
    data = repository.document(name)
    if data is None:
        raise UserInputError(
            f"{request.source} has no channel {request.channel!r}", "Name the channel that was published: --channel"
        )
    channel = read_channel(data, f"{name} of {request.source}")
    if channel.name != request.channel:
        raise BundleError(f"{name} is the document of the channel {channel.name!r}", "Publish the bundle again.")
    return channel


def _release(repository: TrustedRepository, source: str, version: str) -> Release:
    name = release_target(version)
    data = repository.document(name)
    if data is None:
        raise BundleError(f"{source} does not have {name}, which its channel names", "Publish the bundle again.")
    return read_release(data, f"{name} of {source}")


def _once_each(entries: Iterable[PublishedFile]) -> list[PublishedFile]:
    """One entry for each content."""
    return list({entry.sha256: entry for entry in entries}.values())

"""An update of this device's bundle: what is meant for it, what is missing, and one whole folder at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from edgener_runtime.base.files import (
    check_replaceable,
    read_regular,
    sha256_of,
    staged_folder,
    storage_errors,
    write_atomic,
)
from edgener_runtime.base.install import install_line
from edgener_runtime.base.partial import locked
from edgener_runtime.bundle.manifest import MANIFEST
from edgener_runtime.errors import BundleError, DeviceError, UserInputError

from .downloads import Downloads, LocalFiles, assemble
from .release import Channel, PublishedFile, Release, channel_target, read_channel, read_release, release_target
from .transports.base import Bounds, MeteredTransport
from .transports.open import open_transport

if TYPE_CHECKING:
    from .repository import TrustedRepository

_MOST_ROOT = 512_000  # bytes, as python-tuf has it
_SMALL = 1 << 20  # bytes


@dataclass(frozen=True)
class PullRequest:
    """What a device asks for: its variant and channel, and the device's own name, which is never sent."""

    source: str
    variant: str
    channel: str
    device: str
    bounds: Bounds = field(default_factory=Bounds)
    dry_run: bool = False


@dataclass(frozen=True)
class PullResult:
    """What an update was: `state` is updated, unchanged, planned (a dry run) or waiting (no release for it).

    `files` and `size` are those of the bundle, `missing` and `missing_bytes` what the device did not have.
    """

    state: str
    channel: str
    variant: str
    version: str | None = None
    share: float | None = None
    files: int = 0
    size: int = 0
    missing: int = 0
    missing_bytes: int = 0
    requests: int = 0
    received: int = 0


def pull(
    request: PullRequest, out: Path, state: Path, root: Path | None, verify: Callable[[Path], object]
) -> PullResult:
    """Bring the bundle at `out` up to date, which `verify` must accept; at every moment it is whole.

    `state` keeps what was trusted and what was fetched; `root` is the trusted root, needed the first time.
    Raises BundleError for what is not signed or not whole, TransferError where the source does not answer, and
    StorageError where the disk is too small; the bundle at `out` is then as before.
    """
    check_replaceable(out, MANIFEST)
    with storage_errors(state):
        state.mkdir(parents=True, exist_ok=True)
    with locked(state) as is_mine, closing(open_transport(request.source, request.bounds)) as transport:
        if is_mine is False:
            raise DeviceError(f"another pull is at work in {state}", "Wait until it has ended.")
        metered = MeteredTransport(transport, request.bounds)
        repository = _trusted(request.source, metered, state, root)
        result = _update(request, repository, out, state, verify)
        return replace(result, requests=metered.requests, received=metered.received)


def _trusted(source: str, metered: MeteredTransport, state: Path, root: Path | None) -> TrustedRepository:
    """The repository with its metadata brought up to date."""
    try:
        from .repository import TrustedRepository
    except ImportError as error:
        raise DeviceError(f"the library for updates cannot be loaded: {error}", install_line("update")) from None
    repository = TrustedRepository(source, metered, state, _bootstrap_root(state, root))
    repository.refresh()
    return repository


def _bootstrap_root(state: Path, root: Path | None) -> bytes:
    """The root that this device trusts from the start: the one given, which is kept, or the one kept before."""
    kept = state / "trusted-root.json"
    try:
        data = read_regular(root or kept, _MOST_ROOT)
    except FileNotFoundError:
        what = f"{root} does not exist" if root else "this device has no trusted root yet"
        raise UserInputError(what, "Name it: --root ROOT, a copy of the publisher's metadata/1.root.json") from None
    except (OSError, ValueError) as error:
        raise UserInputError(f"cannot read {root or kept}: {error}", "Check its permissions.") from None
    if root:
        write_atomic(kept, data)
    return data


def _update(
    request: PullRequest, repository: TrustedRepository, out: Path, state: Path, verify: Callable[[Path], object]
) -> PullResult:
    chosen = _channel(repository, request).release_for(request.device)
    if chosen is None:
        return PullResult("waiting", request.channel, request.variant)
    entries = _release(repository, request.source, chosen.version).files_for(request.variant)
    local = LocalFiles([out] if out.is_dir() else [])
    is_current = _is_at(out, entries)
    missing = [] if is_current else _once_each(entry for entry in entries if local.find(entry) is None)
    state_now = "unchanged" if is_current else "planned" if request.dry_run else "updated"
    if state_now == "updated":
        downloads = Downloads(state / "files", repository)
        _fetch(downloads, missing, sum(entry.size for entry in entries))
        with staged_folder(out, MANIFEST) as staging:
            assemble(staging, entries, local, downloads)
            verify(staging)
        downloads.keep_only(())
    return PullResult(
        state_now, request.channel, request.variant, chosen.version, chosen.share,
        len(entries), sum(entry.size for entry in entries), len(missing), sum(entry.size for entry in missing),
    )  # fmt: skip


def _fetch(downloads: Downloads, missing: Sequence[PublishedFile], size: int) -> None:
    """Fetch what is missing of a release, where the disk can hold both it and what is copied of the bundle before."""
    copied = size - sum(entry.size for entry in missing)
    downloads.keep_only(missing)
    downloads.require_space(missing, copied)
    for entry in missing:
        downloads.fetch(entry)


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


def _is_at(out: Path, entries: Sequence[PublishedFile]) -> bool:
    """Whether a folder has this release and variant: every file, and the small ones, manifests among them, by hash.

    The large ones are what `verify` and every load compare; to hash them at every look would cost minutes a day.
    """
    if not all((path := out / entry.path).is_file() and path.stat().st_size == entry.size for entry in entries):
        return False
    return all(sha256_of(out / entry.path) == entry.sha256 for entry in entries if entry.size <= _SMALL)

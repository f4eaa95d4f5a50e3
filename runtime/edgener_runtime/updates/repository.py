"""The signed content of a repository: python-tuf's own client, over our transports.

All trust is TUF's: keys and their rotation, thresholds, expiry, rollback, freeze, mix-and-match. Its errors are mapped
to ours here and nowhere else. This module imports python-tuf, so it is imported where an update was asked for.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from tuf.api import exceptions
from tuf.api.metadata import Metadata, Root, TargetFile, Timestamp
from tuf.ngclient import FetcherInterface, Updater

from edgener_runtime.base.files import storage_errors, sync
from edgener_runtime.base.partial import remove
from edgener_runtime.base.printable import escaped
from edgener_runtime.errors import BundleError, EdgenerError, TransferError, UserInputError

from .transports.base import MeteredTransport, MissingFileError, TransferBounds

METADATA, TARGETS = "metadata/", "targets/"
MOST_DOCUMENT = 1 << 22  # bytes of a channel's or a release's document
_LONGEST_TIMESTAMP = datetime.timedelta(days=366)
_AGAIN = "The source may be attacked, or broken. The installed bundle stays as it is; try again, or another source."


class _TransportFetcher(FetcherInterface):  # type: ignore[misc] # python-tuf's types are not checked
    """Requests of python-tuf through one of our transports; it bounds the length of each itself."""

    def __init__(self, transport: MeteredTransport) -> None:
        self._transport = transport

    def _fetch(self, url: str) -> Iterator[bytes]:
        try:
            yield from self._transport.read(url, most=1 << 62)
        except MissingFileError:
            raise exceptions.DownloadHTTPError(f"{url} is missing", 404) from None


class TrustedRepository:
    """What a source publishes, each part verified by TUF before it is used. `state` keeps what was trusted before."""

    def __init__(self, source: str, transport: MeteredTransport, state: Path, bootstrap: bytes) -> None:
        self._source = source
        self._transport = transport
        self._metadata = state / "metadata"
        self._documents = state / "documents"
        with storage_errors(state):
            self._metadata.mkdir(parents=True, exist_ok=True)
            self._documents.mkdir(exist_ok=True)
        for path in self._metadata.glob("tmp*"):  # python-tuf's, where a process was killed; the state is locked
            remove(path)
        with self._errors("the root"):
            self._updater = Updater(
                str(self._metadata), METADATA, str(self._documents), TARGETS, _TransportFetcher(transport),
                bootstrap=bootstrap,
            )  # fmt: skip
            if not Metadata[Root].from_bytes(bootstrap).signed.consistent_snapshot:
                raise BundleError(
                    f"the root of {source} has no consistent snapshots, which every repository of edgener has",
                    "Name a copy of the publisher's metadata/1.root.json: --root ROOT",
                )

    @property
    def bounds(self) -> TransferBounds:
        """What each transfer may take."""
        return self._transport.bounds

    def refresh(self) -> None:
        """Bring the signed metadata up to date. Raises BundleError where TUF refuses it, TransferError without it."""
        with self._errors("the metadata"):
            self._updater.refresh()
            for path in sorted(self._metadata.rglob("*.json")):  # what was seen protects against a rollback
                sync(path)
            for folder in {path.parent for path in self._metadata.rglob("*.json")}:
                sync(folder)
        self._require_clock()

    def document(self, name: str) -> bytes | None:
        """A small signed document, or None where the repository has none of that name."""
        with self._errors(name):
            info = self._updater.get_targetinfo(name)
            if info is None:
                return None
            if info.length > MOST_DOCUMENT:
                raise BundleError(f"{name} has {info.length:,} bytes, expected at most {MOST_DOCUMENT:,}", _AGAIN)
            path = self._updater.find_cached_target(info) or self._updater.download_target(info)
            return Path(path).read_bytes()

    def keep_documents(self, names: Iterable[str]) -> None:
        """Remove the documents of earlier releases."""
        kept = {quote(name, "") for name in names}  # as python-tuf names them
        for path in self._documents.iterdir():
            if path.name not in kept:
                remove(path)

    def file(self, name: str) -> TargetFile:
        """The signed length and hashes of a file. Raises BundleError where the repository does not sign it."""
        with self._errors(name):
            info = self._updater.get_targetinfo(name)
        if info is None:
            raise BundleError(f"{self._source} does not sign {name}, which its release lists", _AGAIN)
        if "sha256" not in info.hashes:
            raise BundleError(f"{self._source} signs {name} without its SHA-256", "Publish the bundle again.")
        return info

    def read(self, info: TargetFile, offset: int) -> Iterator[bytes]:
        """The bytes of a file from `offset` on, to be verified by the caller as a whole."""
        folder, _, name = info.path.rpartition("/")
        path = f"{TARGETS}{folder}/{info.hashes['sha256']}.{name}"  # as consistent snapshots have it
        return self._transport.read(path, info.length, offset, exact=True)

    def _require_clock(self) -> None:
        """Refuse a clock that is years behind: nothing would ever expire, and an old state would pass for ever."""
        signed = Metadata[Timestamp].from_file(str(self._metadata / "timestamp.json")).signed
        now = datetime.datetime.now(datetime.timezone.utc)
        if signed.expires - now > _LONGEST_TIMESTAMP:
            raise BundleError(
                f"the clock of this device is behind: it says {now:%Y-%m-%d}, and the metadata of {self._source} is "
                f"signed until {signed.expires:%Y-%m-%d}",
                "Set the clock, and run the command again.",
            )

    @contextmanager
    def _errors(self, what: str) -> Iterator[None]:
        try:
            with storage_errors(self._metadata):
                yield
        except (exceptions.RepositoryError, exceptions.DownloadError) as error:
            raise _mapped(error, f"{what} of {self._source}") from error


def _mapped(error: Exception, what: str) -> EdgenerError:
    """The error of ours for one of python-tuf's."""
    detail = f": {escaped(str(error))}" if str(error) else ""
    if isinstance(error, exceptions.DownloadHTTPError):
        return UserInputError(f"{what}{detail}", "Name a repository that edgener publish made.")
    if isinstance(error, exceptions.DownloadError) and not isinstance(error, exceptions.DownloadLengthMismatchError):
        return TransferError(f"{what} cannot be fetched{detail}", "Run the command again.")
    clock = f"; the clock of this device says {datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d %H:%M} UTC"
    expired = isinstance(error, exceptions.ExpiredMetadataError)
    reason = next(text for kind, text in _REFUSED if isinstance(error, kind))
    return BundleError(f"{what} {reason}{detail}{clock if expired else ''}", _EXPIRED if expired else _AGAIN)


_EXPIRED = "If the clock is right, the source is held back or was not renewed: edgener publish REPOSITORY --refresh"
_REFUSED = (
    (exceptions.ExpiredMetadataError, "has expired"),
    (exceptions.UnsignedMetadataError, "is not signed by enough of the trusted keys"),
    (exceptions.BadVersionNumberError, "is older than what this device has seen, or mixed from several states"),
    (exceptions.LengthOrHashMismatchError, "does not have the signed length and hash"),
    (exceptions.DownloadLengthMismatchError, "does not end where it should"),
    (exceptions.RepositoryError, "is refused"),
)

"""A repository in one uncompressed tar archive, for devices without a network."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from edgener_runtime.errors import BundleError, TransferError

from .base import CHUNK, MissingFileError

# tarfile raises the errors of what it computes from sizes and numbers of headers too
_DAMAGED = (tarfile.TarError, EOFError, ValueError, OverflowError, RecursionError)
_HINT = "Make it anew, without compression: tar -cf updates.tar -C REPOSITORY ."


class ArchiveTransport:
    """Files of a tar archive, read in place: nothing is unpacked."""

    def __init__(self, archive: Path) -> None:
        self._archive = archive
        try:
            self._tar = tarfile.open(archive, "r:")  # noqa: SIM115 - closed by close()
            members = {
                PurePosixPath(member.name).as_posix(): member for member in _forward(self._tar) if member.isreg()
            }
        except _DAMAGED as error:
            raise BundleError(f"{archive} cannot be read as a tar archive: {error}", _HINT) from None
        except OSError as error:
            raise TransferError(f"cannot read {archive}: {error.strerror}", "Check its permissions.") from None
        self._members = members

    def read(self, path: str, offset: int) -> Iterator[bytes]:
        """The bytes of a member from `offset` on."""
        if path not in self._members:
            raise MissingFileError(f"{self._archive} does not have {path}", _HINT)
        try:
            with self._tar.extractfile(self._members[path]) as opened:  # type: ignore[union-attr] # a regular file
                opened.seek(offset)
                while chunk := opened.read(CHUNK):
                    yield chunk
        except (*_DAMAGED, OSError) as error:
            raise TransferError(f"cannot read {path} of {self._archive}: {error}", _HINT) from None

    def close(self) -> None:
        """Close the archive."""
        self._tar.close()


def _forward(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """The members of an archive. Raises ValueError at one of a negative size, which would lead back to itself."""
    for member in archive:
        if member.size < 0 or archive.offset <= member.offset:
            raise ValueError(f"a member of {member.size} bytes")
        yield member

"""A repository in a folder: a disk, a USB stick, a network drive."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from edgener_runtime.errors import TransferError

from .base import CHUNK, MissingFileError


class FolderTransport:
    """Files below a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, path: str, offset: int) -> Iterator[bytes]:
        """The bytes of a file from `offset` on."""
        file = self._folder / path
        try:
            with open(file, "rb", opener=_open_at_once) as opened:
                if not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
                    raise TransferError(f"{file} is a pipe or a device, expected a file", "Copy the repository again.")
                opened.seek(offset)
                while chunk := opened.read(CHUNK):
                    yield chunk
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            raise MissingFileError(f"{file} is missing", "Copy the repository again.") from None
        except OSError as error:
            raise TransferError(
                f"cannot read {file}: {error.strerror}", "Check its permissions and the disk."
            ) from None

    def close(self) -> None:
        """Nothing is open."""


def _open_at_once(path: str, flags: int) -> int:
    """A pipe would wait for its writer."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))

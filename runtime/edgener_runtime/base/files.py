"""Atomic writes: files and folders are written under a temporary name, synced, then renamed."""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgener_runtime.errors import StorageError, UserInputError

from .exchange import exchange
from .partial import partial

_STORAGE_ERRNOS = {
    errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO,
    errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EEXIST, errno.ENAMETOOLONG,
    errno.EISDIR, errno.ENOTEMPTY, errno.ELOOP,
}  # fmt: skip


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes as lower-case hex, read in chunks of 1 MiB."""
    digest = hashlib.sha256()
    with open(path, "rb", opener=_open_at_once) as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def read_regular(path: Path, most: int) -> bytes:
    """The bytes of a file of at most `most`; ValueError where it is larger, or a pipe or device, which may not end."""
    with open(path, "rb", opener=_open_at_once) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("found a pipe, device or folder, expected a regular file")
        data = file.read(most + 1) if status.st_size <= most else b""
    if max(status.st_size, len(data)) > most:
        raise ValueError(f"found {max(status.st_size, len(data)):,} bytes, expected at most {most:,}")
    return data


def _open_at_once(path: str, flags: int) -> int:
    """A pipe would wait for its writer."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def write_atomic(path: Path, content: str | bytes) -> None:
    """Write a file so that `path` has either its previous content or all of `content` (text as UTF-8).

    A device or a pipe, such as /dev/null, is written to and not replaced. Raises StorageError where the disk is full or
    the path cannot be written.
    """
    data = content.encode("utf-8") if isinstance(content, str) else content
    with storage_errors(path):
        if path.exists() and not (path.is_file() or path.is_dir()):
            path.write_bytes(data)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial(path, Path.touch) as temporary:
            temporary.write_bytes(data)
            sync(temporary)
            temporary.replace(path)
            sync(path.parent)


def check_writable(path: Path) -> None:
    """Raises StorageError where a small file cannot be written at `path`, which stays as it is.

    For work that takes long, before it begins.
    """
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial(path, Path.touch) as temporary:
            temporary.write_bytes(bytes(4096))
            sync(temporary)


@contextmanager
def staged_folder(final: Path, marker: str) -> Iterator[Path]:
    """A temporary folder that replaces `final` when the block succeeds, and is removed when it does not.

    A folder at `final` (or where it links to) is replaced only if it is empty or has a file named `marker`, which shows
    that it is ours; otherwise UserInputError. Raises StorageError where the disk is full or the path cannot be written.
    """
    final = final.resolve()
    with storage_errors(final):
        check_replaceable(final, marker)
        final.parent.mkdir(parents=True, exist_ok=True)
        with partial(final, Path.mkdir) as staging:
            yield staging
            _sync_tree(staging)
            _swap(staging, final)


def check_replaceable(final: Path, marker: str) -> None:
    """Raises UserInputError where `staged_folder` would not replace what is at `final`."""
    if final.is_dir() and any(final.iterdir()) and not (final / marker).is_file():
        raise UserInputError(
            f"{final} exists, is not empty and has no {marker}, so it is not replaced",
            "Name another folder, or empty this one first.",
        )
    if final.exists() and not final.is_dir():
        raise UserInputError(f"{final} is a file, expected a folder or a free path", "Name another path.")


def _swap(staging: Path, final: Path) -> None:
    """Put a folder in the place of another, which is removed.

    In one step where the file system has an exchange; elsewhere there is nothing at `final` for a moment, between two
    renames, and whoever must never see that goes through a link, which one rename replaces.
    """
    if final.exists() and exchange(staging, final):
        sync(final.parent)
        return  # `staging` is the old folder now, and is removed as an unfinished one is
    old = final.with_name(f".{final.name}.{secrets.token_hex(4)}.old")
    try:
        if final.exists():
            final.rename(old)
        staging.rename(final)
    finally:
        if not final.exists() and old.exists():  # interrupted between the two
            old.rename(final)
        shutil.rmtree(old, ignore_errors=True)
    sync(final.parent)


def _sync_tree(folder: Path) -> None:
    for path in sorted(folder.rglob("*")):
        sync(path)
    sync(folder)


def make_folder(path: Path) -> None:
    """Make a folder and those above it that are missing, durably."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    path.mkdir(parents=True, exist_ok=True)
    for folder in missing:
        sync(folder.parent)


def sync(path: Path) -> None:
    """Write a file or a folder's entries to the disk."""
    if path.is_dir() and os.name == "nt":  # Windows cannot open a folder
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Raise StorageError for errors of the disk or of permissions while `path` is written."""
    try:
        yield
    except OSError as error:
        if error.errno not in _STORAGE_ERRNOS:
            raise
        raise StorageError(
            f"cannot write {path}: {error.strerror}", "Free some space or name another path; nothing was changed."
        ) from error

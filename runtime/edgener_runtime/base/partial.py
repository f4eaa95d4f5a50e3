"""Unfinished files and folders beside their final path, locked while they are written.

What a killed process left has no lock any more, so the next process that writes to the same path removes it.
"""

from __future__ import annotations

import logging
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_log = logging.getLogger(__name__)
_EIGHT_HEX = "[0-9a-f]" * 8


@contextmanager
def partial(final: Path, make: Callable[[Path], object]) -> Iterator[Path]:
    """A new path beside `final`, made by `make` (Path.touch or Path.mkdir); what is left of it at the end is removed.

    What killed processes left of earlier ones is removed first, and a warning is logged.
    """
    remove_abandoned(final)
    path = final.with_name(f".{final.name}.{secrets.token_hex(4)}.partial")
    try:
        make(path)
        with locked(path):
            yield path
    finally:
        remove(path)


def remove(path: Path) -> None:
    """Remove a file or a folder as far as possible, without an error where nothing is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def remove_abandoned(final: Path) -> None:
    """Remove the unfinished files and folders of `final` that killed processes left, with a warning for each."""
    with suppress(OSError):  # a folder that cannot be listed is reported when it is written to
        for path in final.parent.glob(f".{_literal(final.name)}.{_EIGHT_HEX}.partial"):
            with locked(path) as is_mine:
                if is_mine:
                    remove(path)
                    _log.warning("removed %s, which a process that was killed had left", path)


@contextmanager
def locked(path: Path) -> Iterator[bool | None]:
    """Hold the lock of a file or folder until the end, or the process's end; False where another process holds it.

    None where the system has no such locks, as Windows and some network file systems.
    """
    try:
        import fcntl

        descriptor = os.open(path, os.O_RDONLY)
    except (ImportError, OSError):
        yield None
        return
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            yield False if isinstance(error, BlockingIOError) else None
        else:
            yield True
    finally:
        os.close(descriptor)


def _literal(name: str) -> str:
    """A name as a pattern that only it matches."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)

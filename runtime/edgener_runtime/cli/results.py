"""Result files of commands that take long: checked before the work, and never lost after it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from edgener_runtime.base.files import check_writable, write_atomic
from edgener_runtime.errors import StorageError

from .console import write_line


def check_result_file(path: Path) -> None:
    """Raises StorageError where `path` cannot be written, before the work begins."""
    check_writable(path)


def write_result(path: Path, text: str) -> None:
    """Write a result; where that fails, to a temporary file, and where that fails too, to stdout.

    Raises StorageError that names where the result is.
    """
    try:
        write_atomic(path, text)
    except StorageError as error:
        raise StorageError(error.message, f"Nothing is lost: the result is {_rescued(path, text)}.") from error


def _rescued(path: Path, text: str) -> str:
    """Where the text is now."""
    try:
        descriptor, name = tempfile.mkstemp(path.suffix, f"{path.stem}-")
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError:
        write_line(text.rstrip("\n"))
        return "on stdout"
    return f"in {name}"

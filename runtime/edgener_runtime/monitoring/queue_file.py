"""The file of a label queue: JSON Lines that are always whole, shared by processes, and never written over blindly."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgener_runtime.base.files import read_regular, storage_errors, sync
from edgener_runtime.base.partial import locked, partial
from edgener_runtime.errors import StorageError

MOST_BYTES = 16 << 20  # of the file
MOST_TEXT = 64 << 10  # bytes of a line: a longer text is not for an annotator
Identity = tuple[int, int, int] | None  # of a file's content: inode, size, time of change


@dataclass(frozen=True)
class UncertainText:
    """A text to label, how certain the model is of it (0 to 1), and the version of the bundle that answered."""

    certainty: float
    text: str
    bundle_version: str = ""

    def line(self) -> bytes:
        """The text as a line of JSON: `edgener data` reads it as a text without labels."""
        record = {"text": self.text, "certainty": self.certainty, "bundle_version": self.bundle_version}
        return (json.dumps(record, ensure_ascii=False) + "\n").encode()


class OtherProcessError(Exception):
    """Another process writes the file now."""


@dataclass
class QueueFile:
    """A file with at most `most` texts, the least certain ones first. Raises StorageError, and OSError of a disk."""

    path: Path
    most: int
    _identity: Identity = None
    _texts: Sequence[UncertainText] = ()

    def merge(self, new: Iterable[UncertainText]) -> Sequence[UncertainText]:
        """Write the least certain of the texts in the file and of new ones; without new ones, only look at the file.

        A file that was moved away since the last time has been taken: its texts are not written again. Raises
        OtherProcessError where another process is writing.
        """
        new = tuple(new)
        if not new and self._found() == self._identity:
            return self._texts
        with storage_errors(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            lock = self.path.with_name(f".{self.path.name}.lock")
            lock.touch(mode=0o600)
            with locked(lock) as is_mine:
                if is_mine is False:
                    raise OtherProcessError
                stored = self._stored()
                texts = least_certain([*stored, *new], self.most)
                if texts != stored:
                    self._write(texts)
                self._texts, self._identity = texts, self._found()
        return self._texts

    def _found(self) -> Identity:
        try:
            status = self.path.stat()
        except FileNotFoundError:
            return None
        return status.st_ino, status.st_size, status.st_mtime_ns

    def _stored(self) -> Sequence[UncertainText]:
        """The texts of the file: those that were written last, or what stands there now."""
        found = self._found()
        if found == self._identity:
            return self._texts
        if found is None:
            return ()
        try:
            lines = read_regular(self.path, 2 * MOST_BYTES).decode().split("\n")
            return tuple(_parsed(json.loads(line)) for line in lines if line.strip())
        except (ValueError, TypeError, KeyError, RecursionError):
            self._set_aside()
            return ()

    def _set_aside(self) -> None:
        """Keep a file that is not a queue, or is damaged, under another name. Raises StorageError for the second."""
        aside = self.path.with_name(f"{self.path.name}.damaged")
        if aside.exists():
            raise StorageError(f"{self.path} is not a label queue, and {aside} is there already", "Move both away.")
        self.path.rename(aside)

    def _write(self, texts: Sequence[UncertainText]) -> None:
        """Write all texts, readable by this user alone."""
        with partial(self.path, lambda path: path.touch(mode=0o600)) as temporary:
            temporary.write_bytes(b"".join(text.line() for text in texts))
            sync(temporary)
            temporary.replace(self.path)
            sync(self.path.parent)


def least_certain(texts: Iterable[UncertainText], most: int) -> Sequence[UncertainText]:
    """The least certain of texts, each once, as many as a queue holds by their number and bytes."""
    found: dict[str, UncertainText] = {}
    size = 0
    for text in sorted(texts, key=lambda text: text.certainty):
        if text.text in found:
            continue
        size += len(text.line())
        if len(found) == most or size > MOST_BYTES:
            break
        found[text.text] = text
    return tuple(found.values())


def _parsed(record: Any) -> UncertainText:
    """A line as it was written. Raises ValueError, TypeError or KeyError for others: they are not this program's."""
    text, certainty, version = record["text"], record["certainty"], record["bundle_version"]
    if len(record) != 3 or type(certainty) is not float or not isinstance(text, str) or not isinstance(version, str):
        raise ValueError("not a line of a label queue")
    return UncertainText(certainty, text, version)

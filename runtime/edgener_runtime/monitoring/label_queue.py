"""A bounded queue of the texts that the model was least certain of, for an annotator to label."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgener_runtime.decoding.entity import Entity
from edgener_runtime.errors import StorageError

from .queue_file import MOST_BYTES, MOST_TEXT, OtherProcessError, QueueFile, UncertainText, least_certain

SIZE = 1000  # texts
SECONDS = 5.0  # between two writes: what a kill may lose
_ATTEMPTS, _WAIT = 20, 0.05  # seconds: another process writes for a few milliseconds
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class QueueState:
    """The texts of a queue, those left out as too long, and why the last write failed; None where it did not."""

    texts: int
    too_long: int
    failure: str | None

    def __str__(self) -> str:
        failed = f"; not written: {self.failure}" if self.failure else ""
        return f"{self.texts} texts to label, {self.too_long} too long{failed}"


class LabelQueue:
    """The `most` least certain texts in a file; any number of threads may use it.

    A thread writes the file every `SECONDS` while texts come. Where that fails, the texts wait in memory, bounded as
    the file is, and it is tried again. `masked` writes the type of each entity in place of its text.
    """

    def __init__(self, file: Path, most: int = SIZE, masked: bool = False) -> None:
        self.masked = masked
        self.most = most
        self._file = QueueFile(file, most)
        self._new: dict[str, UncertainText] = {}
        self._bytes = 0  # of the new ones
        self._written: frozenset[str] = frozenset()
        self._bar = 2.0  # above any certainty: less certain texts are taken
        self._too_long = 0
        self._failure: str | None = None
        self._timer: threading.Timer | None = None
        self._lock = threading.Lock()
        self._flushing = threading.Lock()

    @property
    def bar(self) -> float:
        """Texts that are less certain than this are taken."""
        return self._bar

    @property
    def state(self) -> QueueState:
        """How many texts it has, and whether it is written."""
        with self._lock:
            return QueueState(min(self.most, len(self._written) + len(self._new)), self._too_long, self._failure)

    def offer(self, text: UncertainText) -> None:
        """Take a text if it is among the least certain ones."""
        size = len(text.line())
        with self._lock:
            if size > MOST_TEXT:
                self._too_long += 1
            elif text.certainty < self._bar and text.text not in self._new and text.text not in self._written:
                self._new[text.text] = text
                self._bytes += size
                if len(self._new) > 2 * self.most or self._bytes > 2 * MOST_BYTES:
                    self._prune()

    def keep_up(self) -> None:
        """Have the file written soon, or looked at: it may have been taken."""
        with self._lock:
            if self._timer is None:
                self._timer = threading.Timer(SECONDS, self._flush_on_time)
                self._timer.daemon = True
                self._timer.start()

    def flush(self) -> None:
        """Write the file now. A failure is logged once, and is in `state`; it stops nothing."""
        with self._flushing:
            with self._lock:
                new = dict(self._new)
            try:
                written = self._merge(new)
            except (StorageError, OSError) as error:
                self._failed(error.message if isinstance(error, StorageError) else str(error))
                return
            self._succeeded(new, written)

    def _merge(self, new: dict[str, UncertainText]) -> Sequence[UncertainText]:
        """Write the file once no other process does. Raises StorageError where one holds it for long, and OSError."""
        for _ in range(_ATTEMPTS):
            try:
                return self._file.merge(new.values())
            except OtherProcessError:
                time.sleep(_WAIT)
        raise StorageError("another process has held the lock of the file for too long", "End one of the two.")

    def _flush_on_time(self) -> None:
        with self._lock:
            self._timer = None
        self.flush()
        if self._new:  # not written: try again
            self.keep_up()

    def _prune(self) -> None:
        kept = least_certain(self._new.values(), self.most)
        self._new = {text.text: text for text in kept}
        self._bytes = sum(len(text.line()) for text in kept)
        self._bar = min(self._bar, kept[-1].certainty)

    def _failed(self, reason: str) -> None:
        with self._lock:
            first, self._failure = self._failure is None, reason
        if first:
            _log.warning("the label queue is not written, its texts wait in memory: %s", reason)

    def _succeeded(self, new: dict[str, UncertainText], written: Sequence[UncertainText]) -> None:
        with self._lock:
            failed, self._failure = self._failure, None
            self._written = frozenset(text.text for text in written)
            self._new = {name: text for name, text in self._new.items() if name not in new}
            self._bytes = sum(len(text.line()) for text in self._new.values())
            self._bar = written[-1].certainty if len(written) >= self.most else 2.0
        if failed:
            _log.warning("the label queue is written again")


def masked(text: str, entities: Sequence[Entity]) -> str:
    """A text with the type of each entity, such as [PER], in place of the entity; offsets count characters."""
    parts, end = [], 0
    for entity in entities:
        parts += [text[end : entity.start], f"[{entity.label}]"]
        end = entity.end
    return "".join([*parts, text[end:]])

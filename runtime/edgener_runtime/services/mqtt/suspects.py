"""Messages during whose computation the process ended: a file that outlives the process counts how often.

A text that takes too much memory, or makes native code crash, ends the process before it can become a dead letter. The
broker repeats its message after each start, and a repeated message is computed alone.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

FOLDER = "RUNTIME_DIRECTORY"  # as systemd names it; RuntimeDirectoryPreserve= keeps it over a restart
_FILE = "computing"
_ENOUGH = 2  # ends of the process; one may have another cause, such as kill -9


@dataclass
class Suspects:
    """Counts in a file of `folder`; without a folder that can be written, nothing is counted."""

    folder: Path | None

    @classmethod
    def of_environment(cls, environment: Mapping[str, str] = os.environ) -> Suspects:
        """In the folder that systemd has made for the service."""
        folder = environment.get(FOLDER, "").partition(":")[0]
        return cls(Path(folder) if folder else None)

    def begin(self, key: str) -> bool:
        """Record that a message is computed alone. False where the process has ended at it often enough."""
        ends = self._ends(key)
        if ends >= _ENOUGH:
            return False
        self._write(f"{ends + 1} {key}")
        return True

    def end(self) -> None:
        """Record that the process is still there."""
        self._write("")

    def _ends(self, key: str) -> int:
        try:
            count, _, found = ((self.folder / _FILE).read_text("ascii") if self.folder else "").partition(" ")
            return int(count) if found == key else 0
        except (OSError, ValueError):
            return 0

    def _write(self, content: str) -> None:
        if self.folder:
            with contextlib.suppress(OSError):
                (self.folder / _FILE).write_text(content, "ascii")

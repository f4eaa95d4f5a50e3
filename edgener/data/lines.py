"""A data file as numbered lines, and what to do with a broken one."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from edgener_runtime.errors import UserInputError


def read_text(path: Path) -> str:
    """A whole file as UTF-8 text, byte order mark removed. Raises UserInputError where it cannot be read."""
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise UserInputError(
            f"{path}:{line}: not UTF-8: byte 0x{error.object[error.start]:02x} at offset {error.start}",
            f"Convert it: iconv -f WINDOWS-1252 -t UTF-8 {path.name}",
        ) from None
    except OSError as error:
        raise UserInputError(f"cannot read {path}: {error.strerror}", "Check the path and its permissions.") from None


@dataclass
class BadLines:
    """Raises on a broken line, or skips and counts it; also counts what was mended or dropped, by kind."""

    path: Path
    skip: bool = False
    counts: Counter[str] = field(default_factory=Counter)

    def report(self, line: int, found: str, expected: str) -> None:
        """Take note of a broken line. Raises UserInputError unless lines are to be skipped."""
        if not self.skip:
            raise UserInputError(
                f"{self.path}:{line}: found {found[:100]!r}, expected {expected}",
                "Mend the line, or leave such lines out with --on-bad-line skip.",
            )
        self.counts["broken lines skipped"] += 1

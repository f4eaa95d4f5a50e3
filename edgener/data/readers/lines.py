"""Data files as text, and the treatment of broken lines."""

from __future__ import annotations

import codecs
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from edgener_runtime.errors import UserInputError


def read_text(path: Path) -> str:
    """A file as UTF-8 text without byte order mark, line ends as LF. Raises UserInputError for an unreadable file."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _not_utf8(path, error) from None
    except FileNotFoundError:
        raise UserInputError(
            f"there is no file {path}", "Name a file, a folder with train, valid and test, or builtin:factory."
        ) from None
    except OSError as error:
        raise UserInputError(f"cannot read {path}: {error.strerror}", "Check the path and its permissions.") from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _not_utf8(path: Path, error: UnicodeDecodeError) -> UserInputError:
    data = error.object
    likely = "UTF-16" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "WINDOWS-1252"
    line = data.count(b"\n", 0, error.start) + 1
    return UserInputError(
        f"{path}:{line}: not UTF-8: byte 0x{data[error.start]:02x}",
        f"Convert it: iconv -f {likely} -t UTF-8 {path.name}",
    )


@dataclass
class BadLines:
    """Raises on a broken line, or skips and counts it; also counts fixed and dropped entities by kind."""

    path: Path
    skip: bool = False
    counts: Counter[str] = field(default_factory=Counter)

    def report(self, line: int, found: str, expected: str) -> None:
        """Count a broken line. Raises UserInputError unless broken lines are skipped."""
        if not self.skip:
            raise UserInputError(
                f"{self.path}:{line}: found {found[:100]!r}, expected {expected}",
                "Fix the line, or skip such lines with --on-error skip.",
            )
        self.counts["broken lines skipped"] += 1

"""Data files as text, texts without labels (one per line), and the treatment of broken lines."""

from __future__ import annotations

import codecs
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from edgener.data.reasons import BROKEN
from edgener.data.sentences import sentence_of_text
from edgener.data.types import Sentence
from edgener_runtime.errors import UserInputError

HEAD = 4096
_MARKS = {  # the longer mark first: that of UTF-32 begins with that of UTF-16
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}


class Reading(NamedTuple):
    """The sentences of a file, its format, its tag scheme ("" without tags), and whether it has labels at all."""

    sentences: list[Sentence]
    format: str
    scheme: str = ""
    labelled: bool = True


@dataclass(frozen=True)
class DataFile:
    """A file or a folder to read, read at most once."""

    path: Path

    @cached_property
    def head(self) -> bytes:
        """The first bytes of a file, none of a folder. Raises UserInputError where it cannot be read."""
        return b"" if self.is_folder else _read_bytes(self.path, HEAD)

    @cached_property
    def data(self) -> bytes:
        """The bytes of a file, none of a folder. Raises UserInputError where it cannot be read."""
        return b"" if self.is_folder else _read_bytes(self.path)

    @cached_property
    def text(self) -> str:
        """The file as `read_text` gives it."""
        return decode(self.path, self.data)

    @cached_property
    def is_folder(self) -> bool:
        """Whether it is a folder."""
        try:
            return self.path.is_dir()
        except OSError:  # an overlong name, or a folder that may not be looked into
            return False


def read_text(path: Path) -> str:
    """A file as UTF-8 text without byte order mark, line ends as LF. Raises UserInputError for an unreadable file."""
    return decode(path, _read_bytes(path))


def _read_bytes(path: Path, most: int = -1) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(most)
    except FileNotFoundError:
        raise UserInputError(
            f"there is no file {path}", "Name a file, a folder with train, valid and test, or builtin:factory."
        ) from None
    except OSError as error:
        raise UserInputError(f"cannot read {path}: {error.strerror}", "Check the path and its permissions.") from None


def decode(path: Path, data: bytes) -> str:
    """The bytes of a file as `read_text` gives them. Raises UserInputError where they are not UTF-8."""
    return _utf8(path, data).replace("\r\n", "\n").replace("\r", "\n")


def read_raw(path: Path) -> str:
    """A file like `read_text`, with its own line ends, which offsets may count."""
    return _utf8(path, _read_bytes(path))


def _utf8(path: Path, data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _not_utf8(path, error) from None


def _not_utf8(path: Path, error: UnicodeDecodeError) -> UserInputError:
    """The fault and what is known for certain: the bytes do not say which other encoding it is."""
    data = error.object
    if marked := next((name for mark, name in _MARKS.items() if data.startswith(mark)), None):
        return UserInputError(
            f"{path}: not UTF-8: it begins with the byte order mark of {marked}",
            f"Convert it: iconv -f {marked} -t UTF-8 {path.name}",
        )
    line = data.count(b"\n", 0, error.start) + 1
    if error.reason == "unexpected end of data":
        return UserInputError(
            f"{path}:{line}: the file ends in the middle of a character: it was cut off after {len(data)} bytes",
            "Get the whole file again.",
        )
    return UserInputError(
        f"{path}:{line}: not UTF-8: byte 0x{data[error.start]:02x}",
        f"Find out its encoding, and convert it: iconv -f ENCODING -t UTF-8 {path.name}",
    )


@dataclass
class BadLines:
    """Raises on a broken line, or skips and counts it; also counts what is corrected and left out, by reason.

    `unit` stands between the path and a number where numbers count other things than lines.
    """

    path: Path
    skip: bool = False
    counts: Counter[str] = field(default_factory=Counter)
    unit: str = ":"

    def report(self, line: int, found: str, expected: str) -> None:
        """Count a broken line. Raises UserInputError unless broken lines are skipped."""
        if not self.skip:
            raise UserInputError(
                f"{self.path}{self.unit}{line}: found {found[:100]!r}, expected {expected}",
                "Fix the line, or skip such lines with --on-error skip.",
            )
        self.counts[BROKEN] += 1


def read(file: DataFile, bad: BadLines, options: Mapping[str, Any]) -> Reading:
    """One text per line, without labels; blank lines are none."""
    lines = enumerate(file.text.split("\n"), start=1)
    sentences = [sentence_of_text(line.strip(), (), number, bad.counts) for number, line in lines if line.strip()]
    return Reading(sentences, "lines", labelled=False)

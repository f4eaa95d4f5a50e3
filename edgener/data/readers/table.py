"""THE table of readers: it drives `--format`, its guess, the checks of options, the documents and the tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgener.data.types import Sentence
from edgener_runtime.errors import UserInputError

from . import conll, label_studio, spacy, text_spans, token_spans
from .lines import BadLines
from .records import RecordFormat, looks_like_json, read_records

Sentences = list[Sentence]
Read = Callable[[str, BadLines, Mapping[str, Any]], tuple[Sentences, str, str]]
"""From text, broken lines and options to sentences, the name of the format, and the tag scheme."""

# The formats of records, in the order in which a record is compared with them.
RECORD_FORMATS = (spacy.FORMAT, label_studio.FORMAT, token_spans.FORMAT, text_spans.FORMAT)


@dataclass(frozen=True)
class Reader:
    """One format of labelled text.

    `options` are the fields of DataSpec that `read` takes. `guess(path, text)` says whether a file has the format; it
    is None for formats that `json` recognises record by record.
    """

    name: str
    description: str
    read: Read
    guess: Callable[[Path, str], bool] | None = None
    options: tuple[str, ...] = ()


def _read_records(formats: tuple[RecordFormat, ...]) -> Read:
    def read(text: str, bad: BadLines, options: Mapping[str, Any]) -> tuple[Sentences, str, str]:
        sentences, name = read_records(text, bad, formats)
        return sentences, name, ""

    return read


# A file has the first format whose guess says so.
READERS = {
    reader.name: reader
    for reader in (
        Reader(
            "json",
            "JSON array or JSON Lines; the format of each record is one of those below",
            _read_records(RECORD_FORMATS),
            guess=looks_like_json,
        ),
        *(Reader(entry.name, entry.description, _read_records((entry,))) for entry in RECORD_FORMATS),
        Reader(
            "conll",
            "columns by tab or space, one token per line, blank lines between sentences",
            conll.read,
            guess=lambda path, text: True,
            options=("token_column", "tag_column", "scheme"),
        ),
    )
}


def choose_reader(name: str, path: Path, text: str) -> Reader:
    """The reader of a name, or for `auto` the first whose guess fits the file."""
    if name in READERS:
        return READERS[name]
    return next(reader for reader in READERS.values() if reader.guess and reader.guess(path, text))


def check_options(reader: Reader, path: Path, options: Mapping[str, Any]) -> None:
    """Raise UserInputError where an option is set that the reader does not take."""
    set_options = [f"--{name.replace('_', '-')}" for name in options if name not in reader.options]
    if set_options:
        raise UserInputError(
            f"{path} is read as {reader.name}, which does not take {', '.join(set_options)}",
            f"Leave out {', '.join(set_options)}, or name another --format.",
        )

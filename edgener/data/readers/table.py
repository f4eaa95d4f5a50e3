"""THE table of readers: it drives `--format`, its guess, the checks of options, the documents and the tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from edgener.data.binary import refuse_binary
from edgener.data.unreadable import text_kind
from edgener_runtime.errors import UserInputError

from . import arrow, brat, conll, csv_table, label_studio, lines, spacy, text_spans, token_spans, token_tags
from .lines import BadLines, DataFile, Reading
from .records import RecordFormat, looks_like_json, read_records

Read = Callable[[DataFile, BadLines, Mapping[str, Any]], Reading]
"""From a file, broken lines and options to sentences, the name of the format, and the tag scheme."""

# The formats of records, in the order in which a record is compared with them.
RECORD_FORMATS = (spacy.FORMAT, label_studio.FORMAT, token_tags.FORMAT, token_spans.FORMAT, text_spans.FORMAT)


@dataclass(frozen=True)
class Reader:
    """One format of labelled text.

    `options` are the fields of DataSpec that `read` takes. `guess` says whether a file has the format; it is None for
    formats that `json` recognises record by record. `stored` says that it is a folder or a file that is not text.
    """

    name: str
    description: str
    read: Read
    guess: Callable[[DataFile], bool] | None = None
    options: tuple[str, ...] = ()
    stored: bool = False


def _read_records(formats: tuple[RecordFormat, ...]) -> Read:
    return lambda file, bad, options: read_records(file.text, bad, formats, options)


_COLUMNS = ("token_column", "tag_column", "scheme")
_TAGS = ("scheme", "label_names")

# A file has the first format whose guess says so.
READERS = {
    reader.name: reader
    for reader in (
        Reader(
            "parquet",
            'Parquet or Arrow file, its columns like the keys of JSON: "tokens", "ner_tags" (needs pyarrow)',
            arrow.read_parquet,
            guess=lambda file: file.head.startswith(b"PAR1") or (file.path.suffix == ".arrow" and not file.is_folder),
            options=_TAGS,
            stored=True,
        ),
        Reader(
            "datasets",
            "a folder that the library datasets saved with save_to_disk (needs pyarrow)",
            arrow.read_saved,
            guess=lambda file: arrow.is_saved_folder(file.path),
            options=_TAGS,
            stored=True,
        ),
        Reader(
            "brat",
            "a folder with a .txt and an .ann file per document; each line is a sentence",
            brat.read,
            guess=lambda file: brat.is_brat(file.path),
            stored=True,
        ),
        Reader(
            "json",
            "JSON array or JSON Lines; the format of each record is one of those below",
            _read_records(RECORD_FORMATS),
            guess=lambda file: looks_like_json(file.path, file.text),
            options=_TAGS,
        ),
        *(
            Reader(
                entry.name,
                entry.description,
                _read_records((entry,)),
                options=_TAGS if entry is token_tags.FORMAT else (),
            )
            for entry in RECORD_FORMATS
        ),
        Reader(
            "csv",
            "table with a header: columns for the sentence, the token and its tag, or a sentence and its tags per row",
            csv_table.read,
            guess=lambda file: csv_table.has_header(file.path, file.text),
            options=(*_COLUMNS, "label_names"),
        ),
        Reader(
            "conll",
            "columns by tab or space, one token per line, blank lines between sentences",
            conll.read,
            guess=lambda file: conll.has_columns(file.text),
            options=_COLUMNS,
        ),
        Reader(
            "lines",
            "texts without labels, one per line",
            lines.read,
            guess=lambda file: True,
        ),
    )
}


def choose_reader(name: str, file: DataFile, options: Mapping[str, Any]) -> Reader:
    """The reader of a name, or for `auto` the first whose guess fits the file, and that takes a named column.

    Raises UserInputError for a kind of file that none of them reads.
    """
    if name in READERS:
        return _opened(READERS[name], file)
    for reader in READERS.values():
        if reader.stored and reader.guess and reader.guess(file):
            return reader
    if file.is_folder:
        raise UserInputError(f"{file.path} is a folder without documents", "Name a file, or a folder with .ann files.")
    if brat.is_part(file.path):
        raise UserInputError(
            f"{file.path} is a document of BRAT or its annotations, which are read together",
            f"Name their folder: --data {file.path.parent}. For the text alone: --format lines",
        )
    refuse_binary(file.path, file.head)
    guesses = [reader for reader in READERS.values() if reader.guess and not reader.stored]
    found = next(reader for reader in guesses if reader.guess and reader.guess(file))
    if found.name == "lines":
        if any(column in options for column in _COLUMNS[:2]):
            return READERS["conll"]
        if unread := text_kind(file.text):
            raise UserInputError(f"{file.path} is {unread.name}, which is not read", unread.hint)
    return found


def _opened(reader: Reader, file: DataFile) -> Reader:
    """The reader, where it was named for what it can open."""
    if file.is_folder and (not reader.stored or reader.name == "parquet"):
        raise UserInputError(f"{file.path} is a folder; --format {reader.name} reads a file", "Name a file in it.")
    if not file.is_folder and reader.name in ("brat", "datasets"):
        raise UserInputError(f"{file.path} is not a folder, which --format {reader.name} reads", "Name its folder.")
    if not reader.stored:
        refuse_binary(file.path, file.head)
    return reader


def check_options(reader: Reader, file: DataFile, options: Mapping[str, Any]) -> None:
    """Raise UserInputError where an option is set that the reader does not take."""
    set_options = [f"--{name.replace('_', '-')}" for name in options if name not in reader.options]
    if set_options:
        raise UserInputError(
            f"{file.path} is read as {reader.name}, which does not take {', '.join(set_options)}",
            f"Leave out {', '.join(set_options)}, or name another --format.",
        )

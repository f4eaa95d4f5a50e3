"""Tables with a header: a token per row with its sentence and tag, or a sentence per row with all its tags."""

from __future__ import annotations

import ast
import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any, Literal

from edgener_runtime.errors import UserInputError

from .lines import BadLines, DataFile, Reading
from .tagged import TaggedTokens, read_tagged

_DELIMITERS = (",", ";", "\t", "|")
_TOKEN = ("token", "tokens", "word", "words")
_TAG = ("tag", "tags", "label", "labels", "ner", "ner_tag", "ner_tags", "entity", "iob", "bio")
_SENTENCE = (
    "sentence #", "sentence#", "sentence", "sentence_id", "sentence id", "sentence_idx", "sentence_no", "sentence no",
    "sent_id", "sent", "sentid", "sentenceid",
)  # fmt: skip
_DOCUMENT = ("document", "document_id", "doc_id")
_WHOLE = ("sentence", "text", "sentences", "tokens", "words")


@dataclass(frozen=True)
class TableLayout:
    """The columns of the token and its tag, counted from 0, of the sentence where a row is one token, and of the
    document."""

    token: int
    tag: int
    sentence: int | None
    document: int | None = None


@dataclass(frozen=True)
class TableRow:
    """A row of a table and its first line."""

    line: int
    cells: list[str]


def has_header(path: Path, text: str) -> bool:
    """Whether a file's name or its first row says that it is a table."""
    if path.suffix.lower() == ".csv":
        return True
    first = text.lstrip("\n").split("\n", 1)[0]
    return any(_layout(first.split(delimiter), {}) is not None for delimiter in _DELIMITERS if delimiter in first)


def read(file: DataFile, bad: BadLines, options: Mapping[str, Any]) -> Reading:
    """The sentences of a table with a header. Raises UserInputError where no columns are tokens and tags."""
    rows = _rows(file.text, bad)
    if not rows:
        return Reading([], "csv")
    header = rows[0].cells
    layout = _layout(header, options)
    if layout is None:
        raise _no_columns(file.path, header)
    body = [row for row in rows[1:] if any(cell.strip() for cell in row.cells) or layout.sentence is None]
    per_sentence = layout.sentence is None and _has_lists(body, layout)
    if not per_sentence and layout.sentence is None and all(any(row.cells) for row in body):
        raise _no_sentences(file.path, header, layout)
    found = _listed(body, layout, bad) if per_sentence else _grouped(body, layout, bad)
    sentences, scheme = read_tagged([*found], options, bad)
    return Reading(sentences, "csv", scheme)


def _rows(text: str, bad: BadLines) -> list[TableRow]:
    """The rows of a table; its delimiter is the one that parts most of its first row.

    Where quotation marks join lines, and each line is a whole row without them, the marks are tokens.
    """
    first = text.lstrip("\n").split("\n", 1)[0]
    delimiter = max(_DELIMITERS, key=first.count)
    literal = list(_parsed(text, delimiter, csv.QUOTE_NONE))
    try:
        rows = list(_parsed(text, delimiter, csv.QUOTE_MINIMAL))
    except _TableError as error:
        if delimiter == "\t" and _is_whole(literal):
            return literal
        raise UserInputError(
            f"{bad.path}:{error.line}: not a row of a table: {error}", "Check the quotation marks of this row."
        ) from None
    joined = any("\n" in cell for row in rows for cell in row.cells)
    return literal if joined and _is_whole(literal) else rows


class _TableError(ValueError):
    """A fault of a table, and the line where its row begins."""

    def __init__(self, line: int, fault: csv.Error) -> None:
        super().__init__(str(fault))
        self.line = line


def _parsed(text: str, delimiter: str, quoting: Literal[0, 3]) -> Iterator[TableRow]:
    reader = csv.reader(StringIO(text), delimiter=delimiter, quoting=quoting, strict=True)
    line = 1
    try:
        for cells in reader:
            yield TableRow(line, cells)
            line = reader.line_num + 1
    except csv.Error as error:
        raise _TableError(line, error) from None


def _is_whole(rows: Sequence[TableRow]) -> bool:
    """Whether every row that is not blank has the header's number of cells."""
    return all(len(row.cells) == len(rows[0].cells) for row in rows if any(row.cells))


def _layout(header: Sequence[str], options: Mapping[str, Any]) -> TableLayout | None:
    names = [cell.strip().strip('"').lower() for cell in header]
    tag = _column(options.get("tag_column"), names, _TAG)
    token = _column(options.get("token_column"), names, _TOKEN)
    sentence = next((names.index(name) for name in _SENTENCE if name in names), None)
    if token is None:
        token, sentence = _column(None, names, _WHOLE), None
    if token is None or tag is None or token == tag:
        return None
    document = _column(None, names, _DOCUMENT)
    return TableLayout(token, tag, None if sentence in (token, tag) else sentence, document)


def _column(number: int | None, names: Sequence[str], known: Sequence[str]) -> int | None:
    """A column that was named, counted from 1, or the first that has one of the known names."""
    if number is not None:
        return number - 1 if number <= len(names) else None
    return next((names.index(name) for name in known if name in names), None)


def _no_columns(path: Path, header: Sequence[str]) -> UserInputError:
    return UserInputError(
        f"{path}: read as a table, whose first row names no columns for the sentence, the token and its tag: "
        f"{', '.join(header)[:200] or 'nothing'}",
        "Name them in the first row: sentence,token,tag. Columns by tab or space without names: --format conll",
    )


def _no_sentences(path: Path, header: Sequence[str], layout: TableLayout) -> UserInputError:
    token, tag = header[layout.token].strip(), header[layout.tag].strip()
    return UserInputError(
        f"{path}: read as a table, whose first row names no column for the sentence, and no row has as many words in "
        f"{token!r} as tags in {tag!r}: {', '.join(header)[:200]}",
        "With a token per row, number the sentences in a column named sentence, or put an empty row between them.",
    )


def _grouped(rows: Sequence[TableRow], layout: TableLayout, bad: BadLines) -> Iterator[TaggedTokens]:
    """Sentences of one token per row; an empty cell of the sentence's column repeats the one above."""
    before, own, line, tokens, tags = None, 0, 0, list[str](), list[str]()
    for row, document in zip(rows, _documents(rows, layout), strict=True):
        mark = _mark(row, layout)
        if mark not in (None, before) or document != own:
            if tokens:
                yield TaggedTokens(line, tokens, tags, own)
            before, own, line, tokens, tags = mark, document, 0, [], []
        token, tag = (_cell(row, column) for column in (layout.token, layout.tag))
        if token and tag and not _is_joined(token):
            line = line or row.line
            tokens.append(token)
            tags.append(tag)
        elif layout.sentence is not None or any(row.cells):
            bad.report(row.line, ",".join(row.cells), "a token and a tag")
    if tokens:
        yield TaggedTokens(line, tokens, tags, own)


def _documents(rows: Sequence[TableRow], layout: TableLayout) -> Iterator[int]:
    """The number of each row's document by the order of their names; an empty cell repeats the one above."""
    numbers: dict[str, int] = {}
    current = 0
    for row in rows:
        if layout.document is not None and (name := _cell(row, layout.document)):
            current = numbers.setdefault(name, len(numbers) + 1)
        yield current


def _is_joined(token: str) -> bool:
    """Whether a stray quotation mark joined rows into one token."""
    return "\n" in token and any(delimiter in token for delimiter in _DELIMITERS)


def _mark(row: TableRow, layout: TableLayout) -> str | None:
    """What a row says about its sentence: its name, or nothing; without a column a blank row begins one."""
    if layout.sentence is None:
        return f"behind line {row.line}" if not any(row.cells) else None
    return _cell(row, layout.sentence) or None


def _cell(row: TableRow, column: int) -> str:
    return row.cells[column].strip(" \t\n") if column < len(row.cells) else ""


def _has_lists(rows: Sequence[TableRow], layout: TableLayout) -> bool:
    """Whether a row has a whole sentence, with as many words as tags."""
    pairs = [(_items(_cell(row, layout.token)), _items(_cell(row, layout.tag))) for row in rows]
    return any(len(tokens) > 1 and len(tokens) == len(tags) for tokens, tags in pairs)


def _listed(rows: Sequence[TableRow], layout: TableLayout, bad: BadLines) -> Iterator[TaggedTokens]:
    for row, document in zip(rows, _documents(rows, layout), strict=True):
        tokens, tags = (_items(_cell(row, column)) for column in (layout.token, layout.tag))
        if tokens and len(tokens) == len(tags):
            yield TaggedTokens(row.line, tokens, tags, document)
        elif any(row.cells):
            bad.report(row.line, ",".join(row.cells), f"a tag for each of {len(tokens)} tokens, not {len(tags)} tags")


def _items(cell: str) -> list[str]:
    """The words or tags of a cell: a list as Python or JSON writes it, or separated by white space or commas."""
    if cell.startswith("["):
        try:
            found = ast.literal_eval(cell)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return []
        return [str(item) for item in found] if isinstance(found, list) and all(map(str, found)) else []
    return cell.split()

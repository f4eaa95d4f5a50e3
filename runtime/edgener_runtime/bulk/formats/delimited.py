"""CSV and TSV with a row of column names: each row keeps its bytes, the added cells stand at its end."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from edgener_runtime.bulk.answers import Rejection
from edgener_runtime.bulk.shapes import Cells, check_columns
from edgener_runtime.bulk.spec import Chunk, RowSpan, TagSpec
from edgener_runtime.errors import UserInputError

from .base import LONGEST_RECORD, TableFormat, shape_of
from .json_lines import to_json
from .raw_rows import BOM, RawRow, Records, raw_format, split_lines, without_end


@dataclass(frozen=True)
class CsvHead:
    """The row of column names: its bytes, and the end of its line."""

    names: tuple[str, ...]
    raw: bytes
    end: bytes


class _Lines:
    """The lines of a table for csv.reader, which asks for more while a quoted cell is open; counts the record's bytes.

    Raises UserInputError where a quoted cell is never closed.
    """

    def __init__(self, lines: Iterator[bytes], where: str, line: int = 1) -> None:
        self._lines = lines
        self._where = where
        self._line = line
        self.record: list[bytes] = []
        self._size = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self._lines, None)
        if line is None and not self.record:
            raise StopIteration
        self._size += len(line or b"")
        if line is None or self._size > LONGEST_RECORD:
            found = "the end of the file" if line is None else f"more than {LONGEST_RECORD:,} bytes"
            raise UserInputError(
                f"{self._where}:{self._line}: a record that begins here has {found} before it ends",
                "Is a quotation mark missing? Each one inside of a cell is written twice.",
            )
        is_first = self._line == 1 and not self.record
        self.record.append(line)
        return (line.removeprefix(BOM) if is_first else line).decode("utf-8", "surrogateescape")

    def records(self, delimiter: str) -> Iterator[tuple[list[str], list[bytes], int]]:
        """The cells of each record, its lines, and the number of the first of them."""
        csv.field_size_limit(LONGEST_RECORD)
        reader = csv.reader(self, delimiter=delimiter)
        while True:
            try:
                cells = next(reader, None)
            except csv.Error as error:
                raise UserInputError(f"{self._where}:{self._line}: {error}", "Convert it to plain CSV first.") from None
            if cells is None:
                return
            yield cells, self.record, self._line
            self._line += len(self.record)
            self.record, self._size = [], 0


def _file_lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while line := file.readline(LONGEST_RECORD + 1):
            yield line


@lru_cache(maxsize=8)
def csv_head(path: Path, delimiter: str) -> CsvHead:
    """The column names of a file. Raises UserInputError where it is empty."""
    for cells, lines, _ in _Lines(_file_lines(path), str(path)).records(delimiter):
        raw = b"".join(lines)
        body = without_end(raw)
        end = raw[len(body) :] or b"\n"
        return CsvHead(tuple(cells), body, end)
    raise UserInputError(f"{path} is empty, expected a row of column names", "Leave it out, or name its columns.")


def _records(delimiter: str) -> Callable[[Path], tuple[RowSpan, Records]]:
    def found(path: Path) -> tuple[RowSpan, Records]:
        rows = _Lines(_file_lines(path), str(path)).records(delimiter)
        _, head, _ = next(rows)
        sizes = ((sum(map(len, lines)), len(lines)) for _, lines, _ in rows)
        return RowSpan(sum(map(len, head)), 0, 1, 0, 1 + len(head)), sizes

    return found


def delimited(name: str, suffix: str, delimiter: str) -> TableFormat:
    """The format of tables with this delimiter."""

    def rows(chunk: Chunk, data: bytes, spec: TagSpec) -> Iterator[RawRow]:
        names = csv_head(Path(chunk.path), delimiter).names
        column = names.index(spec.text_column)
        records = _Lines(split_lines(data), chunk.source, chunk.span.line).records(delimiter)
        for number, (cells, lines, line) in enumerate(records, start=chunk.span.row):
            raw = without_end(b"".join(lines))
            if not cells:  # a blank line
                continue
            if len(cells) != len(names):
                wrong = Rejection(f"{len(cells):,} cells, expected {len(names):,} as in the row of column names")
                yield RawRow(number, line, raw, wrong, readable=False)
            else:
                yield RawRow(number, line, raw, cells[column].encode("utf-8", "surrogateescape"))

    def render(chunk: Chunk, row: RawRow, cells: Cells, spec: TagSpec) -> bytes:
        end = csv_head(Path(chunk.path), delimiter).end
        return row.raw + delimiter.encode() + _joined(map(_cell, cells)) + end

    def _joined(cells: Iterator[str]) -> bytes:
        line = io.StringIO()
        csv.writer(line, delimiter=delimiter, lineterminator="").writerow(cells)
        return line.getvalue().encode("utf-8")

    def head(path: Path, spec: TagSpec) -> bytes:
        found = csv_head(path, delimiter)
        check_columns(found.names, spec.text_column, shape_of(spec), str(path))
        added = _joined(column.name for column in shape_of(spec).columns)
        return found.raw + delimiter.encode() + added + found.end

    return raw_format(name, (suffix,), suffix, rows, render, _records(delimiter), head)


def _cell(value: object) -> str:
    """A cell: empty for null, JSON for lists."""
    if value is None:
        return ""
    return to_json(value).decode("utf-8") if isinstance(value, list) else str(value)


CSV = delimited("csv", ".csv", ",")
TSV = delimited("tsv", ".tsv", "\t")

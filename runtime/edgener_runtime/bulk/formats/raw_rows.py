"""Formats of rows one after the other: each keeps its bytes, and what is added stands behind them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeAlias

from edgener_runtime.bulk.answers import Rejection
from edgener_runtime.bulk.shapes import Cells
from edgener_runtime.bulk.spec import ROWS_AT_ONCE, Chunk, RejectedRow, RowSpan, TagSpec
from edgener_runtime.errors import UserInputError

from .base import CHUNK_BYTES, LONGEST_RECORD, AnswerAll, Spool, TableFormat, TaggedPart, shape_of

_UTF16 = (b"\xff\xfe", b"\xfe\xff")
BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class RawRow:
    """A row: its number and line, its bytes without the end of the line, and its text or why there is none.

    One that is not `readable` cannot stand in the output.
    """

    number: int
    line: int
    raw: bytes
    value: object
    readable: bool = True


ReadRows: TypeAlias = Callable[[Chunk, bytes, TagSpec], Iterable[RawRow]]
"""The rows of a chunk from its bytes."""
RenderRow: TypeAlias = Callable[[Chunk, RawRow, Cells, TagSpec], bytes]
"""A row of the output."""
Records: TypeAlias = Iterator[tuple[int, int]]
"""Bytes and lines of each record of a file, in order."""


def raw_format(
    name: str,
    suffixes: tuple[str, ...],
    output_suffix: str,
    rows: ReadRows,
    render: RenderRow,
    records: Callable[[Path], tuple[RowSpan, Records]],
    head: Callable[[Path, TagSpec], bytes],
) -> TableFormat:
    """A format by how its rows are read and written.

    `records` returns where the rows of a file begin, and the size of each; `head` is what stands above them.
    """

    def check(path: Path, spec: TagSpec) -> None:
        with path.open("rb") as file:
            if file.read(2) in _UTF16:
                raise UserInputError(f"{path} is UTF-16, expected UTF-8", "Convert it first: iconv -f utf-16 -t utf-8")
        head(path, spec)

    def split(path: Path, spec: TagSpec, spool: Spool) -> Iterator[tuple[Path | None, RowSpan]]:
        for index, span in enumerate(spans(*records(path))):
            yield path if spool(index) else None, span

    def tag(chunk: Chunk, spec: TagSpec, answer: AnswerAll) -> TaggedPart:
        return _tag(chunk, spec, list(_rows(chunk, spec, rows)), render, answer)

    def join(path: Path, spec: TagSpec, parts: Iterator[Path], out: Path) -> None:
        with out.open("wb") as file:
            file.write(head(path, spec))
            for part in parts:
                with part.open("rb") as source:
                    shutil.copyfileobj(source, file, 1 << 20)

    return TableFormat(name, suffixes, output_suffix, check, split, tag, join)


def spans(start: RowSpan, records: Records) -> Iterator[RowSpan]:
    """Records in spans of a limited number and size; one that is longer stands alone."""
    offset, row, line = start.offset, start.row, start.line
    length = rows = lines = 0
    for size, count in records:
        if rows and (rows == ROWS_AT_ONCE or length + size > CHUNK_BYTES):
            yield RowSpan(offset, length, row, rows, line)
            offset, row, line = offset + length, row + rows, line + lines
            length = rows = lines = 0
        length, rows, lines = length + size, rows + 1, lines + count
    if rows:
        yield RowSpan(offset, length, row, rows, line)


def line_records(path: Path) -> tuple[RowSpan, Records]:
    """The lines of a file."""
    return RowSpan(0, 0, 1, 0, 1), _lines(path)


def _lines(path: Path) -> Records:
    with path.open("rb") as file:
        while line := file.readline(LONGEST_RECORD):
            size = len(line)
            while line and not line.endswith(b"\n"):
                line = file.readline(CHUNK_BYTES)
                size += len(line)
            yield size, 1


def without_end(line: bytes) -> bytes:
    """A line without its end."""
    return line[:-2] if line.endswith(b"\r\n") else line.removesuffix(b"\n")


def read_lines(chunk: Chunk, data: bytes) -> Iterator[tuple[int, bytes]]:
    """The number of each line, and the line without its end and without the file's byte order mark."""
    if chunk.span.offset == 0:
        data = data.removeprefix(BOM)
    for number, line in enumerate(split_lines(data), start=chunk.span.line):
        yield number, without_end(line)


def split_lines(data: bytes) -> Iterator[bytes]:
    """Lines with their ends; only \\n ends one."""
    start = 0
    while start < len(data):
        end = data.find(b"\n", start) + 1 or len(data)
        yield data[start:end]
        start = end


def _rows(chunk: Chunk, spec: TagSpec, rows: ReadRows) -> Iterable[RawRow]:
    span = chunk.span
    if span.length > LONGEST_RECORD:
        too_long = Rejection(f"a row of {span.length:,} bytes, more than {LONGEST_RECORD:,} are not read")
        return [RawRow(span.row, span.line, b"", too_long, readable=False)]
    with Path(chunk.path).open("rb") as file:
        return rows(chunk, _read_exactly(file, chunk), spec)


def _read_exactly(file: BinaryIO, chunk: Chunk) -> bytes:
    file.seek(chunk.span.offset)
    data = file.read(chunk.span.length)
    if len(data) != chunk.span.length:
        raise UserInputError(f"{chunk.source} has become shorter while it was read", "Tag a file that stays as it is.")
    return data


def _tag(chunk: Chunk, spec: TagSpec, rows: list[RawRow], render: RenderRow, answer: AnswerAll) -> TaggedPart:
    shape, written, rejected = shape_of(spec), [], []
    texts = entities = 0
    for row, found in zip(rows, answer([row.value for row in rows]), strict=True):
        if isinstance(found, Rejection):
            rejected.append(RejectedRow(chunk.source, row.number, row.line, found.reason, found.text))
            cells = list(shape.rejected) if row.readable else []
        else:
            texts, entities = texts + 1, entities + len(found)
            cells = shape.rows(row.number, _text(row.value), found)
        written += [render(chunk, row, each, spec) for each in cells]
    return TaggedPart(b"".join(written), texts, entities, rejected)


def _text(value: object) -> str:
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)

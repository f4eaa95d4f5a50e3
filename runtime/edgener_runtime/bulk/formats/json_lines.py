"""JSON Lines, and plain lines, whose results are JSON Lines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from edgener_runtime.bulk.answers import Rejection, excerpt
from edgener_runtime.bulk.shapes import Cells
from edgener_runtime.bulk.spec import Chunk, TagSpec
from edgener_runtime.errors import UserInputError

from .base import shape_of
from .raw_rows import RawRow, line_records, raw_format, read_lines

_TEXT = "text"  # the field of a plain line
_ENCODER = json.JSONEncoder(ensure_ascii=False)  # json.dumps would make one for each text


def _json_rows(chunk: Chunk, data: bytes, spec: TagSpec) -> Iterator[RawRow]:
    for number, line in read_lines(chunk, data):
        if line.strip():
            value = _text_field(line, spec)
            yield RawRow(number, number, line, value, not isinstance(value, _Unreadable))


class _Unreadable(Rejection):
    """A line that is not an object to which fields can be added."""


def _text_field(line: bytes, spec: TagSpec) -> object:
    """The text of a line's object, or why there is none."""
    try:
        record = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        return _Unreadable(f"not UTF-8: byte 0x{line[error.start]:02x} at byte {error.start}", excerpt(line))
    except json.JSONDecodeError as error:
        return _Unreadable(f"not JSON: {error.msg} at column {error.colno}", excerpt(line))
    except (ValueError, RecursionError) as error:  # numbers of thousands of digits, brackets thousands deep
        return _Unreadable(f"JSON that cannot be read: {error}", excerpt(line))
    if not isinstance(record, dict):
        return _Unreadable("not a JSON object", excerpt(line))
    if taken := [column.name for column in shape_of(spec).columns if column.name in record]:
        return _Unreadable(f"has a field {taken[0]!r} already, which --shape {spec.shape} adds", excerpt(line))
    if spec.text_column not in record:
        return Rejection(f"no field {spec.text_column!r}", excerpt(line))
    return record[spec.text_column]


def _render_json(chunk: Chunk, row: RawRow, cells: Cells, spec: TagSpec) -> bytes:
    """The object's own bytes, and the added fields before its last bracket."""
    kept = row.raw.strip().removesuffix(b"}").rstrip()
    names = [column.name for column in shape_of(spec).columns]
    added = to_json(dict(zip(names, cells, strict=True)))[1:]
    return kept + (b"" if kept == b"{" else b", ") + added + b"\n"


def to_json(value: object) -> bytes:
    """JSON in UTF-8; a lone surrogate as JSON's escape for it."""
    return _ENCODER.encode(value).encode("utf-8", "backslashreplace")


def _plain_rows(chunk: Chunk, data: bytes, spec: TagSpec) -> Iterator[RawRow]:
    for number, line in read_lines(chunk, data):
        if line.strip():
            yield RawRow(number, number, line, line, _is_utf8(line))


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _render_plain(chunk: Chunk, row: RawRow, cells: Cells, spec: TagSpec) -> bytes:
    names = [column.name for column in shape_of(spec).columns]
    return to_json({_TEXT: row.raw.decode("utf-8"), **dict(zip(names, cells, strict=True))}) + b"\n"


def _no_head(path: Path, spec: TagSpec) -> bytes:
    return b""


def _plain_head(path: Path, spec: TagSpec) -> bytes:
    if spec.text_column != _TEXT:
        raise UserInputError(
            f"{path} has plain lines, which have no column {spec.text_column!r}", "Omit --text-column."
        )
    return b""


JSON_LINES = raw_format("jsonl", (".jsonl", ".ndjson"), ".jsonl", _json_rows, _render_json, line_records, _no_head)
PLAIN_LINES = raw_format("lines", (".txt",), ".jsonl", _plain_rows, _render_plain, line_records, _plain_head)

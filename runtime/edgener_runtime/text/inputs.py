"""Texts to run on: whole files, lines, or JSON Lines with a "text" field; from files or stdin."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from edgener_runtime.errors import UserInputError

FORMATS = ("auto", "text", "lines", "jsonl")
STDIN = "-"


def read_records(
    source: str, form: str = "auto", skipped: Callable[[UserInputError], None] | None = None
) -> Iterator[dict[str, Any]]:
    """Objects with a "text" field, one per file (text), line (lines) or JSON object (jsonl, other fields kept).

    `auto` reads `.jsonl` and `.ndjson` files as JSON Lines and the rest as lines; blank lines are left out.
    Raises UserInputError with file and line; where `skipped` is given, it is called with the error instead.
    """
    form = _guess(source) if form == "auto" else form
    with _open(source) as file:
        if form == "text":
            yield {"text": _decode(file.read(), source, 1)}
            return
        for number, line in enumerate(file, start=1):
            try:
                record = _record(line, source, number, form)
            except UserInputError as error:
                if skipped is None:
                    raise
                skipped(error)
            else:
                if record is not None:
                    yield record


def _record(line: bytes, source: str, number: int, form: str) -> dict[str, Any] | None:
    """The record of a line, or None where it is blank."""
    text = _decode(line, source, number).rstrip("\r\n")
    if not text.strip():
        return None
    return _json_record(text, source, number) if form == "jsonl" else {"text": text}


def _guess(source: str) -> str:
    return "jsonl" if Path(source).suffix in (".jsonl", ".ndjson") else "lines"


def _open(source: str) -> IO[bytes]:
    if source == STDIN:
        return sys.stdin.buffer
    try:
        return Path(source).open("rb")
    except OSError as error:
        raise UserInputError(f"cannot read {source}: {error.strerror}", "Check the path and its permissions.") from None


def _decode(data: bytes, source: str, line: int) -> str:
    try:
        return data.decode("utf-8-sig" if line == 1 else "utf-8")
    except UnicodeDecodeError as error:
        line += error.object.count(b"\n", 0, error.start)  # of the decoded bytes, which have no BOM
        raise UserInputError(
            f"{source}:{line}: not UTF-8: byte 0x{error.object[error.start]:02x}", "Convert it first."
        ) from None


def _json_record(text: str, source: str, line: int) -> dict[str, Any]:
    try:
        record = json.loads(text)
    except json.JSONDecodeError as error:
        raise UserInputError(f"{source}:{line}: not JSON: {error.msg} at column {error.colno}") from None
    except (ValueError, RecursionError) as error:  # numbers of thousands of digits, brackets thousands deep
        raise UserInputError(f"{source}:{line}: JSON that cannot be read: {error}") from None
    if not isinstance(record, dict) or not isinstance(record.get("text"), str):
        raise UserInputError(f'{source}:{line}: found {text[:60]!r}, expected an object with a "text" string')
    return record

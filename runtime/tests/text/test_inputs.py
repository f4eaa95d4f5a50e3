"""Texts from files and stdin, and what is said of those that cannot be read."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgener_runtime.errors import UserInputError
from edgener_runtime.text.inputs import read_records

BOM = b"\xef\xbb\xbf"


def texts(data: bytes, path: Path, form: str = "auto") -> list[str]:
    path.write_bytes(data)
    return [record["text"] for record in read_records(str(path), form)]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"one\ntwo\n", ["one", "two"]),
        (b"one\ntwo", ["one", "two"]),
        (b"one\r\ntwo\r\n", ["one", "two"]),
        (BOM + b"one\ntwo", ["one", "two"]),
        (b"one\n\n \t\n\r\ntwo\n", ["one", "two"]),
        (b"  one two  \n", ["  one two  "]),
        ("泵 🙂\ne\u0301\u2028x\n".encode(), ["泵 🙂", "e\u0301\u2028x"]),
        (b"a\x00b\n", ["a\x00b"]),
        (b"", []),
        (BOM, []),
    ],
    ids=["lf", "no end", "crlf", "bom", "blank", "edges", "unicode", "nul", "empty", "bom only"],
)
def test_each_line_that_is_not_blank_is_a_text(data: bytes, expected: list[str], tmp_path: Path) -> None:
    assert texts(data, tmp_path / "orders.txt") == expected
    assert texts(data, tmp_path / "orders.log", "lines") == expected


@pytest.mark.parametrize(
    ("data", "expected"), [(b"one\r\n\ntwo\n", "one\r\n\ntwo\n"), (BOM + "泵".encode(), "泵"), (b"", "")]
)
def test_a_whole_file_can_be_one_text(data: bytes, expected: str, tmp_path: Path) -> None:
    assert texts(data, tmp_path / "report.txt", "text") == [expected]


@pytest.mark.parametrize("name", ["orders.jsonl", "orders.ndjson"])
def test_json_lines_are_known_by_their_name_and_keep_their_fields(name: str, tmp_path: Path) -> None:
    file = tmp_path / name
    file.write_bytes(BOM + b'{"text": "\\u6cf5", "id": 7, "more": {"a": [1]}}\r\n\r\n{"text": ""}')
    assert list(read_records(str(file))) == [{"text": "泵", "id": 7, "more": {"a": [1]}}, {"text": ""}]


@settings(max_examples=30)
@given(st.lists(st.dictionaries(st.text(), st.none() | st.booleans() | st.integers() | st.text()), max_size=5))
def test_json_lines_come_back_as_they_were(tmp_path_factory: pytest.TempPathFactory, records: list[Any]) -> None:
    records = [{**record, "text": "泵"} for record in records]
    file = tmp_path_factory.mktemp("records") / "records.jsonl"
    file.write_text("".join(json.dumps(record) + "\n" for record in records))
    assert list(read_records(str(file))) == records


def test_a_dash_is_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"one\ntwo\n"), encoding="ascii"))
    assert list(read_records("-")) == [{"text": "one"}, {"text": "two"}]


def test_records_are_read_as_they_are_asked_for(tmp_path: Path) -> None:
    (tmp_path / "orders.txt").write_bytes(b"one\n\xff\n")
    records = read_records(str(tmp_path / "orders.txt"))
    assert next(records) == {"text": "one"}
    with pytest.raises(UserInputError):
        next(records)


@pytest.mark.parametrize(
    ("form", "data", "expected"),
    [
        ("lines", b"one\ntwo \xff\n", ":2: not UTF-8: byte 0xff"),
        ("lines", BOM + b"ab\xfe\n", ":1: not UTF-8: byte 0xfe"),
        ("text", b"one\ntwo\n\xe6\xb3", ":3: not UTF-8: byte 0xe6"),
        ("text", BOM + b"one\n\xff", ":2: not UTF-8: byte 0xff"),
        ("lines", "Größe".encode("latin-1"), ":1: not UTF-8: byte 0xf6"),
        ("lines", "one".encode("utf-16"), ":1: not UTF-8: byte 0xff"),
        ("jsonl", b'{"text": "one"}\n\n{"text": two}\n', ":3: not JSON: Expecting value at column 10"),
        ("jsonl", b'{"text": "one"', ":1: not JSON: "),
        ("jsonl", b'{"text": "\xff"}', ":1: not UTF-8"),
        ("jsonl", b"[1]\n", """:1: found '[1]', expected an object with a "text" string"""),
        ("jsonl", b'"text"\n', ":1: found "),
        ("jsonl", b'{"text": null}\n', ":1: found "),
        ("jsonl", b'{"id": 1}\n', ":1: found "),
        ("jsonl", b"[" * 100_000, ":1: JSON that cannot be read"),
    ],
)
def test_what_cannot_be_read_is_reported_with_file_and_line(
    form: str, data: bytes, expected: str, tmp_path: Path
) -> None:
    with pytest.raises(UserInputError) as raised:
        texts(data, tmp_path / "orders", form)
    assert raised.value.message.startswith(str(tmp_path / "orders") + expected)


def test_a_broken_line_can_be_skipped_and_is_reported(tmp_path: Path) -> None:
    file = tmp_path / "orders.jsonl"
    file.write_bytes(b'{"text": "one"}\n{"text": "\xff"}\n\n[]\n{"text": two}\n{"text": "three"}')
    skipped: list[UserInputError] = []
    assert list(read_records(str(file), skipped=skipped.append)) == [{"text": "one"}, {"text": "three"}]
    assert [error.message.partition(": ")[0] for error in skipped] == [f"{file}:{number}" for number in (2, 4, 5)]


@pytest.mark.parametrize(("name", "form"), [("missing.txt", "auto"), ("latin.txt", "text")])
def test_a_file_of_which_nothing_can_be_read_is_an_error_all_the_same(name: str, form: str, tmp_path: Path) -> None:
    (tmp_path / "latin.txt").write_bytes(b"\xff")
    skipped: list[UserInputError] = []
    with pytest.raises(UserInputError):
        list(read_records(str(tmp_path / name), form, skipped.append))
    assert not skipped


@pytest.mark.skipif(not hasattr(sys, "set_int_max_str_digits"), reason="this Python reads numbers of any length")
def test_a_number_too_long_to_read_is_reported(tmp_path: Path) -> None:
    with pytest.raises(UserInputError, match=":1: JSON that cannot be read"):
        texts(b'{"text": "a", "n": ' + b"1" * 5000 + b"}", tmp_path / "orders", "jsonl")


@pytest.mark.parametrize("name", ["missing.txt", ".", "missing/orders.txt"])
def test_a_file_that_cannot_be_opened_is_reported(name: str, tmp_path: Path) -> None:
    with pytest.raises(UserInputError, match="cannot read "):
        next(read_records(str(tmp_path / name)))

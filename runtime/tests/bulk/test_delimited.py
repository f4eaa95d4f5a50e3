"""CSV and TSV: rows keep their bytes; quoted cells over several lines, wrong rows and wide tables."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from edgener_runtime.errors import UserInputError

from .conftest import TagFile

LEAK = "Pump P-101 leaks at the seal"


def rows_of(data: bytes, delimiter: str = ",") -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode("utf-8", "surrogateescape"), newline=""), delimiter=delimiter))


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


@pytest.mark.compat
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_rows_keep_their_bytes(end: bytes, tag_file: TagFile, tmp_path: Path) -> None:
    rows = [b'1,"Pump, ""P-1""' + end + b'leaks",""', b" 2 ,valve,", b'3,"",caf\xe9', b'"4",x\xff,y']
    done = tag_file(write(tmp_path / "in.csv", end.join([b'id,"text",note', *rows]) + end))
    lines = done.data.split(b',"[')[0], done.data
    assert lines[0] == b'id,"text",note,entities' + end + rows[0]
    for row in rows:
        assert end + row + b"," in done.data
    assert done.reasons == [(4, "not UTF-8: byte 0xff at byte 1")] and done.rejected[0].line == 6
    read = rows_of(done.data)
    assert [len(row) for row in read] == [4] * 5 and read[4][3] == ""
    assert json.loads(read[1][3])[0].keys() == {"label", "start", "end", "score", "text"}


def test_a_row_with_other_cells_is_left_out_and_listed(tag_file: TagFile, tmp_path: Path) -> None:
    done = tag_file(write(tmp_path / "in.csv", b"id,text\n1,a\n2\n\n3,b,c\n4,d"))
    assert [row[0] for row in rows_of(done.data)] == ["id", "1", "4"]
    assert [(row.row, row.line) for row in done.rejected] == [(2, 3), (4, 5)]
    assert done.rejected[0].reason == "1 cells, expected 2 as in the row of column names"


def test_a_cell_of_10_mb(tag_file: TagFile, tmp_path: Path) -> None:
    big = b"1," + b"x" * 10_000_000 + b",ok\n"
    long = b'2,y,"' + b"word word word\nword word word word word word word word word\n" * 180_000 + b'"\n'
    done = tag_file(write(tmp_path / "in.csv", b"id,note,text\n" + big + long + b"3,,end\n"))
    assert done.reasons == [(2, "longer than 1,000,000 characters")]
    csv.field_size_limit(1 << 26)
    assert [row[0] for row in rows_of(done.data)] == ["id", "1", "2", "3"]


def test_100_000_columns(tag_file: TagFile, tmp_path: Path) -> None:
    names = ",".join(["text", *(f"c{number}" for number in range(100_000))])
    rows = "\n".join(LEAK + "," * 100_000 for _ in range(20))
    done = tag_file(write(tmp_path / "in.csv", f"{names}\n{rows}\n".encode()))
    assert len(rows_of(done.data)[20]) == 100_002 and not done.rejected


def test_a_byte_order_mark_and_tabs(tag_file: TagFile, tmp_path: Path) -> None:
    done = tag_file(write(tmp_path / "in.csv", b'\xef\xbb\xbf"text, or so",id\na,1\n'), text_column="text, or so")
    assert done.data.startswith(b'\xef\xbb\xbf"text, or so",id,entities\na,1,')
    done = tag_file(write(tmp_path / "in.tsv", b'id\ttext\n1\ta, "b"\n'))
    assert rows_of(done.data, "\t")[1][:2] == ["1", 'a, "b"']


@pytest.mark.compat
@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty, expected a row of column names"),
        (b"id;text\n1;a\n", "has no column 'text'; its columns are id;text"),
        (b"text,text\na,b\n", "has 2 columns 'text'"),
        (b"text,entities\na,b\n", "has a column 'entities' already"),
        (b'text\n"never closed\nand on\n', r"in.csv:2: a record that begins here has the end of the file"),
        (b"text\na\rb\n", r"in.csv:2: new-line character"),
        ("text\na\n".encode("utf-16"), "UTF-16"),
    ],
    ids=["empty", "semicolons", "twice", "taken", "open quote", "carriage return", "UTF-16"],
)
def test_what_is_not_a_table_is_refused(data: bytes, message: str, tag_file: TagFile, tmp_path: Path) -> None:
    with pytest.raises(UserInputError, match=message):
        tag_file(write(tmp_path / "in.csv", data))


def test_a_record_without_end_is_not_read_into_memory(
    tag_file: TagFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgener_runtime.bulk.formats.delimited.LONGEST_RECORD", 1000)
    with pytest.raises(UserInputError, match=r"in.csv:2: a record that begins here has more than 1,000 bytes"):
        tag_file(write(tmp_path / "in.csv", b'text\n"' + b"x\n" * 2000))

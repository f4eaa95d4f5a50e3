"""Parquet: nulls, nested columns, dictionaries, large cells, bytes that are not UTF-8, many columns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edgener_runtime import TokenClassifier
from edgener_runtime.bulk.formats import parquet
from edgener_runtime.errors import UserInputError

from .conftest import TagFile

pa = pytest.importorskip("pyarrow", reason="no pyarrow here: the extra bulk")
pq = pytest.importorskip("pyarrow.parquet")

LEAK = "Pump P-101 leaks at the seal"


def write(path: Path, columns: dict[str, Any], **options: Any) -> Path:
    pq.write_table(pa.table(columns), path, **options)
    return path


def test_columns_stay_and_entities_are_structs(tag_file: TagFile, classifier: TokenClassifier, tmp_path: Path) -> None:
    table = pa.table({
        "id": pa.array([1, 2, None], pa.int16()),
        "text": [LEAK, None, "泵漏油"],
        "nested": [{"a": [{"b": 1}, None]}, None, {"a": []}],
        "raw": pa.array([b"\xff", None, b""], pa.binary()),
    }).replace_schema_metadata({"made by": "a test"})  # fmt: skip
    pq.write_table(table, tmp_path / "in.parquet")
    done = tag_file(tmp_path / "in.parquet")
    found = pq.read_table(done.output)
    assert found.drop_columns(["entities"]).equals(table) and found.schema.metadata[b"made by"] == b"a test"
    assert found.column("entities").to_pylist() == [
        [vars(entity) for entity in classifier.predict(LEAK)], None,
        [vars(entity) for entity in classifier.predict("泵漏油")],
    ]  # fmt: skip
    assert done.reasons == [(2, "null in place of a text")]


def not_utf8() -> Any:
    """Strings of which one is not UTF-8, as other writers leave them."""
    return pa.Array.from_buffers(pa.string(), 3, pa.array([b"ok", b"caf\xe9", b"end"], pa.binary()).buffers())


@pytest.mark.parametrize("column", ["text", "other"])
def test_bytes_that_are_not_utf8(column: str, tag_file: TagFile, tmp_path: Path) -> None:
    columns = {"text": pa.array(["a", "b", "c"]), "other": pa.array(["a", "b", "c"])} | {column: not_utf8()}
    done = tag_file(write(tmp_path / "in.parquet", columns))
    assert done.reasons == ([(2, "not UTF-8: byte 0xe9 at byte 3")] if column == "text" else [])
    found = pq.read_table(done.output).column(column).cast(pa.binary()).to_pylist()
    assert found == [b"ok", b"caf\xe9", b"end"]


@pytest.mark.parametrize(
    "kind", [pa.large_string(), pa.string_view(), pa.binary(), pa.dictionary(pa.int32(), pa.string()), pa.null()]
)
def test_every_kind_of_string(kind: Any, tag_file: TagFile, tmp_path: Path) -> None:
    texts = [None, None] if kind == pa.null() else [LEAK, None]
    array = pa.array(texts).dictionary_encode() if pa.types.is_dictionary(kind) else pa.array(texts).cast(kind)
    done = tag_file(write(tmp_path / "in.parquet", {"text": array}))
    assert len(done.rejected) == texts.count(None)
    assert [found is None for found in pq.read_table(done.output).column("entities").to_pylist()] == [
        text is None for text in texts
    ]


def test_chunks_follow_the_size_of_rows(tag_file: TagFile, tmp_path: Path) -> None:
    big = "x" * 10_000_000
    source = write(tmp_path / "in.parquet", {"text": ["a", "b", "c", "y " * 5_000_000], "more": [big, big, big, ""]})
    done = tag_file(source)
    assert done.chunks == 4 and done.reasons == [(4, "longer than 1,000,000 characters")]
    assert pq.read_table(done.output).column("more").to_pylist() == [big, big, big, ""]


def test_rows_are_in_order_over_row_groups(tag_file: TagFile, tmp_path: Path) -> None:
    source = write(tmp_path / "in.parquet", {"id": range(1500), "text": ["ok"] * 1500}, row_group_size=700)
    done = tag_file(source)
    assert pq.read_table(done.output).column("id").to_pylist() == list(range(1500)) and done.chunks >= 3


def test_the_output_has_row_groups_of_a_limited_size(
    tag_file: TagFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "_GROUP_ROWS", 512)
    done = tag_file(write(tmp_path / "in.parquet", {"text": ["ok"] * 1500}))
    assert pq.ParquetFile(done.output).num_row_groups == 3


def test_many_columns(tag_file: TagFile, tmp_path: Path) -> None:
    columns = {"text": [LEAK, None]} | {f"c{number}": [number, None] for number in range(2000)}
    done = tag_file(write(tmp_path / "in.parquet", columns))
    assert pq.read_table(done.output).num_columns == 2002


def test_no_rows(tag_file: TagFile, tmp_path: Path) -> None:
    done = tag_file(write(tmp_path / "in.parquet", {"text": pa.array([], pa.string())}))
    assert pq.read_table(done.output).num_rows == 0 and pq.read_table(done.output).column_names == ["text", "entities"]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"text": [1, 2]}, "the column 'text' of .* is int64, expected strings"),
        ({"text": [["a"]]}, "is list<.*expected strings"),
        ({"note": ["a"]}, "has no column 'text'; its columns are note"),
        ({"text": ["a"], "entities": [1]}, "has a column 'entities' already"),
    ],
)
def test_a_table_without_texts_is_refused(
    columns: dict[str, Any], message: str, tag_file: TagFile, tmp_path: Path
) -> None:
    with pytest.raises(UserInputError, match=message):
        tag_file(write(tmp_path / "in.parquet", columns))


@pytest.mark.parametrize("damage", ["cut", "noise", "empty"])
def test_a_damaged_file_is_refused(damage: str, tag_file: TagFile, tmp_path: Path) -> None:
    source = write(tmp_path / "in.parquet", {"text": ["ok"] * 100})
    data = source.read_bytes()
    source.write_bytes({"cut": data[:-20], "noise": b"x" * 100, "empty": b""}[damage])
    with pytest.raises(UserInputError, match="cannot be read as Parquet"):
        tag_file(source)

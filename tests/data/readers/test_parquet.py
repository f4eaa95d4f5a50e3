"""Parquet and Arrow files: columns like the keys of JSON, and numbered labels with their names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edgener.data.read import DataSpec, read_splits
from edgener.data.types import Dataset
from edgener_runtime.errors import UserInputError

from .reading import marked

pa = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

NAMES = ["O", "B-PER", "I-PER", "B-LOC"]
ROWS = {"tokens": [["Mira", "Weber", "left"], ["Basel"]], "ner_tags": [[1, 2, 0], [3]]}


def features(names: list[str], kind: str = "Sequence") -> dict[str, Any]:
    """The record that `datasets` writes into a schema."""
    label = {"names": names, "_type": "ClassLabel"}
    return {"tokens": {"feature": {"dtype": "string"}}, "ner_tags": {"feature": label, "_type": kind}}


def table(names: list[str] | None) -> Any:
    made = pa.table(ROWS)
    record = json.dumps({"info": {"features": features(names)}}) if names else None
    return made.replace_schema_metadata({"huggingface": record}) if record else made


def whole(path: Path, **options: Any) -> Dataset:
    return read_splits(DataSpec(str(path), **options))["all"]


def entities(dataset: Dataset) -> list[list[tuple[str, str]]]:
    return [marked(sentence) for sentence in dataset.sentences]


def test_numbers_are_labels_by_the_names_in_the_file_or_by_those_given(tmp_path: Path) -> None:
    parquet.write_table(table(NAMES), tmp_path / "named.parquet")
    parquet.write_table(table(None), tmp_path / "bare.parquet")
    named, bare = whole(tmp_path / "named.parquet"), whole(tmp_path / "bare.parquet", label_names=tuple(NAMES))
    assert entities(named) == [[("PER", "Mira Weber")], [("LOC", "Basel")]]
    assert (named.sha256, named.format, named.scheme) == (bare.sha256, "parquet", "IOB2")
    with pytest.raises(UserInputError, match=r"bare\.parquet, record 1: its tags are numbers"):
        whole(tmp_path / "bare.parquet")


def test_a_split_may_be_in_several_files(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for part in range(2):
        parquet.write_table(table(NAMES), tmp_path / "data" / f"train-0000{part}-of-00002.parquet")
    parquet.write_table(table(NAMES), tmp_path / "data" / "validation-00000-of-00001.parquet")
    splits = read_splits(DataSpec(str(tmp_path)))
    assert {name: len(split.sentences) for name, split in splits.items()} == {"train": 4, "valid": 2}


def test_texts_with_entities_are_read_as_from_json(tmp_path: Path) -> None:
    spans = [[{"start": 0, "end": 4, "label": "PER"}], []]
    parquet.write_table(pa.table({"text": ["Mira left.", "Nothing."], "entities": spans}), tmp_path / "a.parquet")
    assert entities(whole(tmp_path / "a.parquet")) == [[("PER", "Mira")], []]


def test_entities_may_be_one_object_of_lists(tmp_path: Path) -> None:
    spans = [{"start": [0, 10], "end": [4, 15], "label": ["PER", "LOC"]}, {"start": [], "end": [], "label": []}]
    parquet.write_table(pa.table({"text": ["Mira left Basel.", "Nothing."], "spans": spans}), tmp_path / "a.parquet")
    assert entities(whole(tmp_path / "a.parquet")) == [[("PER", "Mira"), ("LOC", "Basel")], []]


@pytest.mark.parametrize("data", [b"PAR1", b"PAR1 this is not a table PAR1"])
def test_a_damaged_file_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.parquet").write_bytes(data)
    with pytest.raises(UserInputError, match=r"cannot read .*a\.parquet"):
        whole(tmp_path / "a.parquet")


def test_without_pyarrow_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parquet.write_table(table(NAMES), tmp_path / "a.parquet")
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(UserInputError, match="pyarrow is not installed") as error:
        whole(tmp_path / "a.parquet")
    assert error.value.hint and "edgener[pyarrow]" in error.value.hint


@pytest.mark.parametrize("number", [-1, 9])
def test_a_number_that_the_names_of_the_file_do_not_have_is_said(tmp_path: Path, number: int) -> None:
    record = json.dumps({"info": {"features": features(NAMES)}})
    made = pa.table({"tokens": [["Mira"], ["Basel"]], "ner_tags": [[1], [number]]})
    parquet.write_table(made.replace_schema_metadata({"huggingface": record}), tmp_path / "a.parquet")
    with pytest.raises(UserInputError, match=rf"record 2: found '{number} \(no name of 4\)'"):
        whole(tmp_path / "a.parquet")

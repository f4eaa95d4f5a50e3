"""BRAT's folders: documents in two files, entities in parts, and offsets that do not fit."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgener.data.read import DataSpec, read_splits
from edgener.data.types import Dataset
from edgener_runtime.errors import UserInputError

from .reading import marked

TEXT = "Mira Weber fixed the lathe.\nOrder by Mira\nWeber and Otto, in Basel and Bern.\n"


def folder(path: Path, annotations: str, text: str = TEXT) -> Path:
    path.mkdir(exist_ok=True)
    (path / "doc.txt").write_bytes(text.encode())
    (path / "doc.ann").write_bytes(annotations.encode())
    return path


def whole(path: Path, **options: str) -> Dataset:
    return read_splits(DataSpec(str(path), **options))["all"]  # type: ignore[arg-type]


def entities(dataset: Dataset) -> list[tuple[str, str]]:
    return [pair for sentence in dataset.sentences for pair in marked(sentence)]


def test_lines_are_sentences_and_discontinuous_and_nested_entities_are_counted(tmp_path: Path) -> None:
    annotations = (
        "T1\tPER 0 10\tMira Weber\nT2\tEQ 21 26\tlathe\nT3\tPER 0 4\tMira\nT4\tLOC 63 68;73 77\tBasel Bern\n"
        "T5\tPER 37 41;42 47\tMira Weber\nR1\tUses Arg1:T1 Arg2:T2\nE1\tFix:T2\n"
        "A1\tNegated E1\n#1\tNote T1\tcheck\n*\tEquiv T1 T3\n"
    )
    dataset = whole(folder(tmp_path, annotations))
    assert [sentence.text for sentence in dataset.sentences] == [TEXT[:27], TEXT[28:-1]]
    assert entities(dataset) == [("PER", "Mira Weber"), ("EQ", "lathe"), ("PER", "Mira\nWeber")]
    assert dataset.format == "brat" and dataset.repairs == {
        "nested entities dropped": 1,
        "discontinuous entities dropped": 1,
        "entities joined from parts with only white space between": 1,
    }


def test_offsets_that_count_line_ends_otherwise_are_corrected_by_the_text(tmp_path: Path) -> None:
    annotations = "T1\tPER 52 56\tOtto\r\n"
    dataset = whole(folder(tmp_path, annotations, TEXT.replace("\n", "\r\n")))
    assert entities(dataset) == [("PER", "Otto")]
    assert dataset.repairs == {"entities whose offsets were corrected by their text": 1}
    assert [sentence.text[-1] for sentence in dataset.sentences] == [".", "a", "."]


def test_a_document_without_annotations_is_left_out_and_one_with_an_empty_file_is_read(tmp_path: Path) -> None:
    folder(tmp_path, "", "Nothing here.")
    (tmp_path / "other.txt").write_text("Nobody read this.\nNor this.\n")
    dataset = whole(tmp_path)
    assert [sentence.text for sentence in dataset.sentences] == ["Nothing here."]
    assert dataset.repairs == {"lines of documents without an .ann file": 2}


@pytest.mark.parametrize(
    ("annotations", "found"),
    [
        ("T1\tPER 0 4\tOtto and Otto", "doc.ann:1: found 'PER 0 4 Otto and Otto', expected its text there, not 'Mira'"),
        ("T1\tPER 0\tMira", "doc.ann:1: found 'T1\\tPER 0\\tMira', expected an entity as T1"),
        ("T1 PER 0 4 Mira", "doc.ann:1: found"),
        ("T1\tPER 0 4000\t", "doc.ann:1: found"),
    ],
)
def test_a_broken_annotation_is_named_or_skipped(tmp_path: Path, annotations: str, found: str) -> None:
    folder(tmp_path, annotations)
    with pytest.raises(UserInputError) as error:
        whole(tmp_path)
    assert found in error.value.message
    assert whole(tmp_path, on_error="skip").repairs == {"broken lines skipped": 1}


def test_annotations_without_their_text_are_refused(tmp_path: Path) -> None:
    folder(tmp_path, "")
    (tmp_path / "alone.ann").write_text("")
    with pytest.raises(UserInputError, match=r"alone\.ann has no alone\.txt beside it"):
        whole(tmp_path)


def test_splits_are_folders_of_their_names(tmp_path: Path) -> None:
    for name in ("train", "dev"):
        folder(tmp_path / name, "T1\tPER 0 4\tMira\n")
    splits = read_splits(DataSpec(str(tmp_path)))
    assert {name: entities(split) for name, split in splits.items()} == {
        "train": [("PER", "Mira")],
        "valid": [("PER", "Mira")],
    }

"""Folders that the library `datasets` saved: one split, or one folder per split."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgener.data.read import DataSpec, read_splits
from edgener_runtime.errors import UserInputError

from .reading import marked
from .test_parquet import NAMES, features, pa, table


def save(folder: Path, kind: str = "List", footer: bool = False, names: list[str] = NAMES) -> Path:
    """What save_to_disk writes."""
    folder.mkdir(parents=True)
    write = pa.ipc.new_file if footer else pa.ipc.new_stream
    with write(str(folder / "data-00000-of-00001.arrow"), pa.table(table(None)).schema) as sink:
        sink.write_table(table(None))
    state = {"_data_files": [{"filename": "data-00000-of-00001.arrow"}], "_split": "train"}
    (folder / "state.json").write_text(json.dumps(state))
    (folder / "dataset_info.json").write_text(json.dumps({"features": features(names, kind)}))
    return folder


@pytest.mark.parametrize("kind", ["List", "Sequence"])
@pytest.mark.parametrize("footer", [False, True])
def test_a_saved_split_is_read_with_the_names_of_its_labels(tmp_path: Path, kind: str, footer: bool) -> None:
    dataset = read_splits(DataSpec(str(save(tmp_path / "saved", kind, footer))))["all"]
    assert [marked(sentence) for sentence in dataset.sentences] == [[("PER", "Mira Weber")], [("LOC", "Basel")]]
    assert dataset.format == "datasets"


def test_saved_splits_go_by_their_names(tmp_path: Path) -> None:
    for name in ("train", "validation", "unlabelled"):
        save(tmp_path / name)
    (tmp_path / "dataset_dict.json").write_text('{"splits": ["train", "validation", "unlabelled"]}')
    assert list(read_splits(DataSpec(str(tmp_path)))) == ["train", "valid"]


@pytest.mark.parametrize("state", ["{}", "oops", '{"_data_files": [{"filename": "none.arrow"}]}'])
def test_a_damaged_folder_is_refused(tmp_path: Path, state: str) -> None:
    save(tmp_path / "saved")
    (tmp_path / "saved" / "state.json").write_text(state)
    with pytest.raises(UserInputError, match=r"state\.json|cannot read"):
        read_splits(DataSpec(str(tmp_path / "saved")))


def test_a_file_is_not_a_saved_folder(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Mira B-PER\n")
    with pytest.raises(UserInputError, match="is not a folder, which --format datasets reads"):
        read_splits(DataSpec(str(tmp_path / "a.txt"), format="datasets"))

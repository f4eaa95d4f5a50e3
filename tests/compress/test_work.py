"""The folder of an unfinished compression."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgener.compress.layers import LayerChoice
from edgener.compress.work import WorkFolder
from edgener_runtime.base.serde import SchemaError
from edgener_runtime.errors import UserInputError

CHOICE = LayerChoice((0, 2), 0.5, 3, 0.1)


def fail() -> LayerChoice:
    raise AssertionError("the step was done before")


def test_a_step_is_done_once(tmp_path: Path) -> None:
    work = WorkFolder(tmp_path / "work", {"data set": {"train": "ab"}})
    assert work.record("layers", LayerChoice, lambda: CHOICE) == CHOICE
    again = WorkFolder(tmp_path / "work", {"data set": {"train": "ab"}})
    assert again.record("layers", LayerChoice, fail) == CHOICE
    again.remove()
    assert not (tmp_path / "work").exists()


def test_a_step_that_failed_is_done_again(tmp_path: Path) -> None:
    work = WorkFolder(tmp_path / "work", {})
    with pytest.raises(KeyboardInterrupt):
        work.checkpoint("pruned", "config.json", interrupted)
    assert not (work.folder / "pruned").exists()
    made = work.checkpoint("pruned", "config.json", lambda folder: (folder / "config.json").write_text("{}") and None)
    assert (made / "config.json").is_file()


def interrupted(folder: Path) -> None:
    (folder / "config.json").write_text("{")
    raise KeyboardInterrupt


def test_another_input_is_refused_by_name(tmp_path: Path) -> None:
    WorkFolder(tmp_path / "work", {"data set": 1, "variant": "fp32"})
    with pytest.raises(UserInputError, match="has another data set and variant"):
        WorkFolder(tmp_path / "work", {"data set": 2, "variant": "int8-dynamic"})


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(UserInputError, match="is not an unfinished compression"):
        WorkFolder(tmp_path, {})
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_a_damaged_record_is_named(tmp_path: Path) -> None:
    work = WorkFolder(tmp_path / "work", {})
    (work.folder / "layers.json").write_text('{"kept": [0')
    with pytest.raises(SchemaError, match=r"layers\.json:1: not JSON"):
        work.record("layers", LayerChoice, fail)


def test_two_processes_do_not_work_in_one_folder(tmp_path: Path) -> None:
    folder = tmp_path / "small.unfinished"
    with (
        WorkFolder(folder, {}).held(),
        pytest.raises(UserInputError, match="another process compresses in"),
        WorkFolder(folder, {}).held(),
    ):
        pass
    with WorkFolder(folder, {}).held():
        pass

"""Settings of a recipe: windows of documents in the training text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgener.data.types import Dataset
from edgener.train import run as run_module
from edgener.train.config import TrainConfig
from edgener.train.features import IGNORED
from edgener.train.learning_curve import measure_runs
from edgener.train.run import train
from edgener_runtime.errors import UserInputError

pytestmark = pytest.mark.compat

Quick = Callable[..., TrainConfig]
Few = dict[str, Dataset]


def in_documents(dataset: Dataset, size: int) -> Dataset:
    """The data set with a document every `size` sentences."""
    numbered = (replace(each, document=1 + at // size) for at, each in enumerate(dataset.sentences))
    return replace(dataset, sentences=tuple(numbered))


# --- documents


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The rows that the next run trains on."""
    found: list[dict[str, Any]] = []
    honest = run_module.build_trainer

    def watched(*arguments: Any, **named: Any) -> Any:
        found.extend(arguments[5].rows)
        return honest(*arguments, **named)

    monkeypatch.setattr(run_module, "build_trainer", watched)
    return found


def labels(rows: Sequence[dict[str, Any]]) -> list[int]:
    return sorted(label for row in rows for label in row["labels"] if label != IGNORED)


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_windows_of_documents_are_fewer_longer_rows_with_every_word_labelled_once(
    few: Few, quick: Quick, rows: list[dict[str, Any]], tmp_path: Path, share: float
) -> None:
    data = {"train": in_documents(few["train"], 8), "valid": few["valid"]}
    train(data, quick(epochs=1), tmp_path / "sentences")
    alone = rows.copy()
    rows.clear()
    train(data, quick(epochs=1, documents=share), tmp_path / "windows")
    assert len(rows) < len(alone)
    assert labels(rows) == labels(alone)
    lengths = [sum(len(row["input_ids"]) for row in each) / len(each) for each in (rows, alone)]
    assert lengths[0] > lengths[1] and max(len(row["input_ids"]) for row in rows) <= 66  # the longest of the model


def test_without_documents_the_option_is_refused(few: Few, quick: Quick, tmp_path: Path) -> None:
    for dataset in (few["train"], in_documents(few["train"], 1)):
        with pytest.raises(UserInputError, match="marks no document of two sentences that fit a window") as caught:
            train({**few, "train": dataset}, quick(documents=0.5), tmp_path / "out")
        assert "-DOCSTART-" in str(caught.value.hint)
    assert not (tmp_path / "out").exists()


def test_a_learning_curve_has_no_windows(few: Few, quick: Quick, tmp_path: Path) -> None:
    data = {name: in_documents(split, 8) for name, split in few.items()}
    with pytest.raises(UserInputError, match="no windows for --documents"):
        measure_runs(data, quick(documents=0.5), tmp_path / "notes", False, lambda *_: 0.0, print)

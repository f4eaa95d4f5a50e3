"""Pictures that are pictures: the right size, not blank, without a display."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from edgener.confidence.reliability import Corrected, Reliability, curve_of
from edgener.report.plots import confusion, plot_confusion, plot_reliability, plot_training

TAGS = ["B-LOC", "I-LOC", "O"]


def pixels(file: Path) -> np.ndarray:
    assert file.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    return np.asarray(imread(file))


def has_ink(picture: np.ndarray) -> bool:
    return 0.001 < (picture[..., :3].min(axis=-1) < 0.5).mean() < 0.5


def test_a_gold_tag_is_a_row_and_a_predicted_one_a_column() -> None:
    gold = [["B-LOC", "I-LOC", "O"], ["O"]]
    predicted = [["B-LOC", "O", "O"], ["B-LOC"]]
    assert confusion(gold, predicted, TAGS) == [[1, 0, 0], [0, 0, 1], [1, 0, 1]]


def test_the_confusion_matrix_is_drawn(tmp_path: Path) -> None:
    plot_confusion([[5, 0, 1], [0, 0, 0], [1, 2, 90]], TAGS, tmp_path / "confusion.png")
    picture = pixels(tmp_path / "confusion.png")
    assert min(picture.shape[:2]) > 200
    assert has_ink(picture)


def test_more_tags_make_a_larger_picture(tmp_path: Path) -> None:
    for count in (3, 25):
        plot_confusion(np.eye(count, dtype=int).tolist(), [f"B-{i}" for i in range(count)], tmp_path / f"{count}.png")
    small, large = (pixels(tmp_path / f"{count}.png").shape for count in (3, 25))
    assert small[0] < large[0] and small[1] < large[1]


@pytest.mark.filterwarnings("error:Glyph .* missing")
@pytest.mark.parametrize("tag", ["B-设备", "B-équipement", "B-$\\x$"])
def test_labels_of_any_script_are_drawn(tmp_path: Path, tag: str) -> None:
    plot_confusion([[1, 0], [0, 1]], [tag, "O"], tmp_path / "confusion.png")
    assert has_ink(pixels(tmp_path / "confusion.png"))


@pytest.mark.parametrize("temperature", [None, 1.5])
def test_the_reliability_is_drawn_with_and_without_a_temperature(tmp_path: Path, temperature: float | None) -> None:
    curve, none = curve_of([0.2, 0.8, 0.9], [False, True, True]), curve_of([], [])
    found = Reliability(temperature, "", Corrected(curve, curve if temperature else None), Corrected(none, None))
    plot_reliability(found, tmp_path / "drawn.png", tmp_path / "drawn.svg")
    assert has_ink(pixels(tmp_path / "drawn.png"))
    text = (tmp_path / "drawn.svg").read_text(encoding="utf-8")
    assert f"as trained: ECE {curve.error:.4f}" in text
    assert ("at temperature 1.5" in text) is bool(temperature)


def test_the_training_curve_is_drawn_with_and_without_validation(tmp_path: Path) -> None:
    epochs = [{"epoch": 1.0, "train_loss": 0.9, "valid_loss": 0.5, "valid_f1": 0.6}, {"epoch": 2.0, "train_loss": 0.3}]
    plot_training(epochs, tmp_path / "both.png")
    plot_training(epochs[1:], tmp_path / "one.png")
    for name in ("both.png", "one.png"):
        assert has_ink(pixels(tmp_path / name))
    assert (tmp_path / "both.png").read_bytes() != (tmp_path / "one.png").read_bytes()


def test_the_same_figures_draw_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        plot_confusion([[3, 1], [0, 9]], ["B-LOC", "O"], tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()

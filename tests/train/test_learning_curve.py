"""The learning curve: parts of the data, the fit, and runs that were interrupted."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgener.data.types import Dataset
from edgener.report.plots import plot_learning_curve
from edgener.train.config import TrainConfig
from edgener.train.learning_curve import LearningCurve, conclusion, learning_curve, measure_runs, sizes_of
from edgener.train.run import TrainResult, valid_scores
from edgener_runtime.base.serde import from_json, to_json
from edgener_runtime.errors import UserInputError

Few = dict[str, Dataset]
CONFIG = TrainConfig()
SIZES = (25, 50, 100, 200, 400, 800)


def law(size: int) -> float:
    return 0.95 - 1.5 * size**-0.6


def noisy(sizes: tuple[int, ...] = SIZES, noise: float = 0.005) -> dict[int, list[float]]:
    generator = random.Random(3)
    return {size: [law(size) + generator.gauss(0, noise) for _ in range(3)] for size in sizes}


@pytest.mark.parametrize(
    ("count", "sizes"), [(10, [10]), (25, [25]), (64, [25, 64]), (200, [25, 50, 100, 200]), (210, [25, 50, 100, 210])]
)
def test_sizes_double_up_to_all(count: int, sizes: list[int]) -> None:
    assert sizes_of(count) == sizes


def test_a_power_law_is_found_again_and_goes_on() -> None:
    curve = learning_curve({size: [law(size)] * 3 for size in SIZES})
    assert [point.sentences for point in curve.ahead] == [1600, 3200]
    for point in (*curve.points, *curve.ahead):
        assert point.fit and point.fit.value == pytest.approx(law(point.sentences), abs=0.002)
        assert point.fit.low == point.fit.high == point.fit.value  # seeds that agree
    assert curve.check and curve.check.value == pytest.approx(law(800), abs=0.002)
    assert from_json(LearningCurve, to_json(curve), "curve") == curve


def test_the_interval_is_wider_ahead_and_with_noise_and_holds_the_truth() -> None:
    curve, noisier = learning_curve(noisy()), learning_curve(noisy(noise=0.02))
    widths = [point.fit.high - point.fit.low for point in (*curve.points[-1:], *curve.ahead) if point.fit]
    assert 0 < widths[0] < widths[1] < widths[2]
    assert noisier.ahead[-1].fit and noisier.ahead[-1].fit.high - noisier.ahead[-1].fit.low > widths[2]
    for point in curve.ahead:
        assert point.fit and point.fit.low - 0.01 < law(point.sentences) < point.fit.high + 0.01


def test_it_says_what_more_labelling_brings_and_checks_itself() -> None:
    lines = conclusion(learning_curve(noisy()))
    assert [line.split(":")[0] for line in lines] == ["With 1,600 sentences", "With 3,200 sentences", "Check"]
    assert "+0.0" in lines[0] and "measured 0.9" in lines[2]


def test_too_few_sizes_are_not_extrapolated() -> None:
    curve = learning_curve(noisy((25, 50, 64)))
    assert curve.ahead == () and all(point.fit is None for point in curve.points)
    assert conclusion(curve) == ["3 sizes are too few to extrapolate: that needs 4, from about 200 sentences on."]


@given(st.lists(st.lists(st.floats(0, 1), min_size=1, max_size=3), min_size=4, max_size=6))
def test_any_scores_give_a_curve_that_does_not_fall(scores: list[list[float]]) -> None:
    curve = learning_curve(dict(zip(SIZES, scores, strict=False)))
    values = [point.fit.value for point in (*curve.points, *curve.ahead) if point.fit]
    assert values == sorted(values) and all(value <= 1 for value in values)


@pytest.mark.parametrize("runs", [noisy(), noisy((25, 50))])
def test_the_picture_is_drawn(tmp_path: Path, runs: dict[int, list[float]]) -> None:
    plot_learning_curve(learning_curve(runs), tmp_path / "curve.png")
    assert (tmp_path / "curve.png").stat().st_size > 5000


# --- runs


def test_parts_grow_within_a_seed_and_the_whole_is_trained_once_by_the_checkpoint(few: Few, tmp_path: Path) -> None:
    parts: dict[tuple[int, int], set[str]] = {}

    def score(splits: Mapping[str, Dataset], config: TrainConfig) -> float:
        texts = [sentence.text for sentence in splits["train"].sentences]
        parts[len(texts), config.seed] = set(texts)
        assert splits["valid"] == few["valid"]
        return 0.5

    runs = measure_runs(few, CONFIG, tmp_path / "notes", False, score, lambda line: None)
    assert {size: len(found) for size, found in runs.items()} == {25: 3, 64: 2}
    assert parts[25, 1] <= parts[64, 1] and parts[25, 0] != parts[25, 1] and (64, 0) not in parts


def test_an_interrupted_curve_continues(few: Few, tmp_path: Path) -> None:
    count = 0

    def score(splits: Mapping[str, Dataset], config: TrainConfig) -> float:
        nonlocal count
        count += 1
        if count == 3:
            raise KeyboardInterrupt
        return 0.1 * config.seed + len(splits["train"].sentences) / 1000

    notes = tmp_path / "notes"
    with pytest.raises(KeyboardInterrupt):
        measure_runs(few, CONFIG, notes, False, score, lambda line: None)
    with pytest.raises(UserInputError, match="there is an unfinished learning curve"):
        measure_runs(few, CONFIG, notes, False, score, lambda line: None)
    with pytest.raises(UserInputError, match="has other settings or data"):
        measure_runs(few, TrainConfig(epochs=1), notes, True, score, lambda line: None)
    assert measure_runs(few, CONFIG, notes, True, score, lambda line: None) == {
        25: pytest.approx([0.025, 0.125, 0.225]), 64: pytest.approx([0.164, 0.264])
    }  # fmt: skip
    assert count == 6  # the third a second time


def test_a_curve_does_not_continue_with_another_teacher_or_other_texts(few: Few, tmp_path: Path) -> None:
    weights, texts = tmp_path / "model.safetensors", tmp_path / "texts.txt"
    config = TrainConfig(teacher=(str(tmp_path),), unlabelled=str(texts))
    for file in (weights, texts):
        file.write_text("first")
    measure_runs(few, config, tmp_path / "notes", False, lambda *_: 0.5, lambda line: None)
    for file in (weights, texts):
        file.write_text("other")
        with pytest.raises(UserInputError, match="has other settings or data"):
            measure_runs(few, config, tmp_path / "notes", True, lambda *_: 0.5, lambda line: None)
        file.write_text("first")
    measure_runs(few, config, tmp_path / "notes", True, lambda *_: pytest.fail("it was run before"), lambda line: None)


@pytest.mark.parametrize("content", ["{", "[]", '{"settings": []}'])
def test_damaged_notes_are_refused(few: Few, tmp_path: Path, content: str) -> None:
    (tmp_path / "notes").write_text(content, encoding="utf-8")
    with pytest.raises(UserInputError, match="is damaged"):
        measure_runs(few, CONFIG, tmp_path / "notes", True, lambda *_: 0.0, lambda line: None)


def test_a_valid_split_is_needed(few: Few, tmp_path: Path) -> None:
    with pytest.raises(UserInputError, match="has no valid split"):
        measure_runs({"train": few["train"]}, CONFIG, tmp_path / "notes", False, lambda *_: 0.0, lambda line: None)


# --- training without a checkpoint


def test_scores_without_a_checkpoint_are_those_of_training(
    finished: tuple[Path, TrainResult], few: Few, quick: Callable[..., TrainConfig], tmp_path: Path
) -> None:
    splits = {name: few[name] for name in ("train", "valid")}
    assert valid_scores(splits, quick(epochs=4), tmp_path / "work") == finished[1].epochs
    assert not (tmp_path / "work").exists() or not [*(tmp_path / "work").rglob("*.safetensors")]


def test_a_part_without_some_label_is_scored_with_all(
    few: Few, quick: Callable[..., TrainConfig], tmp_path: Path
) -> None:
    import dataclasses

    plain = tuple(sentence for sentence in few["train"].sentences if not sentence.spans)[:2]
    part = dataclasses.replace(few["train"], sentences=plain or few["train"].sentences[:1])
    found = valid_scores({"train": part, "valid": few["valid"]}, quick(epochs=1), tmp_path, labels=few["train"].labels)
    assert 0 <= found[0]["valid_f1"] <= 1


def test_the_command_writes_the_curve_beside_the_checkpoint(
    few_folder: Path, few: Few, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from click.testing import CliRunner

    from edgener.cli.main import main
    from edgener.parity.measures.metrics import EntityScores, Score

    nothing = Score(0.0, 0.0, 0.0, 0)
    scores = EntityScores(nothing, nothing, {})

    def trained(splits: Any, config: Any, out: Path, resume: bool) -> TrainResult:
        out.mkdir()
        return TrainResult(str(out), "test", scores, scores, [{"epoch": 1.0, "valid_f1": 0.75}])

    monkeypatch.setattr("edgener.train.run.train", trained)
    monkeypatch.setattr("edgener.train.run.valid_scores", lambda *_, **__: [{"epoch": 1.0, "valid_f1": 0.5}])
    out = tmp_path / "checkpoint"
    given = ["train", "--data", few_folder, "--out", out, "--learning-curve", "--threads", 1]
    done = CliRunner().invoke(main, list(map(str, given)))
    assert done.exit_code == 0, done.output
    written = json.loads((out / "learning-curve.json").read_text(encoding="utf-8"))
    assert [point["f1"] for point in written["points"]] == [[0.5] * 3, [0.75, 0.5, 0.5]]
    assert "2 sizes are too few to extrapolate" in done.stdout and "learning curve: 25 sentences" in done.stderr
    assert sorted(path.name for path in tmp_path.rglob("*")) == [
        "checkpoint", "learning-curve.json", "learning-curve.png"
    ]  # fmt: skip

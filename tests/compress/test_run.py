"""The flow of a compression, with invented times and scores: what is trained, chosen, written and continued."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgener.checkpoint import RECORD, TrainingRecord, open_checkpoint
from edgener.compress.measure import MeasuredShape, MeasuredShapes, VariantRunner
from edgener.compress.result import AnswerFigures, CompressionResult, Target, verdict
from edgener.compress.run import RESULT, CompressionSpec, compress
from edgener.data.types import Dataset, Sentence, Span
from edgener.parity.bootstrap import Estimate
from edgener.train.config import TrainConfig
from edgener_exporters.variants import VARIANTS
from edgener_runtime.base.serde import load_json, to_json
from edgener_runtime.bundle.manifest import Speed, Spread
from edgener_runtime.errors import UserInputError

WORDS = ("pump", "leaks", "at", "the", "seal")
RECORDED = TrainingRecord("0", "base", False, False, {}, {}, {}, {"split": "valid", "before": 0.5, "after": 0.8})
MS = {(2, 64): 1.0, (2, 32): 0.75, (1, 64): 0.5, (1, 32): 0.375}


def split(name: str, *texts: str) -> Dataset:
    sentences = []
    for text in texts or (" ".join(WORDS),):
        words = text.split()
        starts = [sum(len(word) + 1 for word in words[:number]) for number in range(len(words))]
        offsets = tuple((start, start + len(word)) for start, word in zip(starts, words, strict=True))
        sentences.append(Sentence(text, offsets, (Span("PART", 0, 1),)))
    return Dataset("plant", name, tuple(sentences), "jsonl")


SPLITS = {name: split(name) for name in ("train", "valid", "test")}


def shape_of(folder: Path) -> tuple[int, int]:
    config = json.loads((folder / "config.json").read_text())
    return config["num_hidden_layers"], config["intermediate_size"]


def speed(ms: float) -> Speed:
    return Speed(Spread(ms, ms, ms), Spread(9, 9, 9), "avx2", 1)


def measured(self: VariantRunner, checkpoints: Mapping[str, Path]) -> MeasuredShapes:
    found = {
        name: MeasuredShape((folder / "model.safetensors").stat().st_size, speed(MS[shape_of(folder)]))
        for name, folder in checkpoints.items()
    }
    return MeasuredShapes(found)


def judged(self: VariantRunner, folder: Path, dataset: Dataset, reference: Any) -> AnswerFigures:
    lost = -0.2 + 0.1 * shape_of(folder)[0]
    return AnswerFigures(dataset.split, 0.9 + lost, Estimate(lost, lost, lost), Estimate(-lost, 0, 1))


class Trained:
    """A stand-in for the training of `edgener train`, which copies the start; it notes what it was asked for."""

    def __init__(self) -> None:
        self.configs: list[TrainConfig] = []
        self.splits: set[str] = set()

    def __call__(self, splits: Mapping[str, Dataset], config: TrainConfig, out: Path, resume: bool) -> None:
        self.configs.append(config)
        self.splits |= {*splits}
        shutil.copytree(config.model, out)
        (out / RECORD).write_text(to_json(RECORDED))


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> Trained:
    monkeypatch.setattr(VariantRunner, "time", measured)
    monkeypatch.setattr(VariantRunner, "judge", judged)
    return Trained()


@pytest.fixture(scope="module")
def checkpoint(make_model: Callable[[str], Path]) -> Path:
    return make_model("bert-uncased")


def spec(ms: float | None = None, mb: float | None = None, drop: float = 0.15, **changes: Any) -> CompressionSpec:
    known = CompressionSpec(SPLITS, VARIANTS["int8-dynamic"], Target(ms, mb, drop), TrainConfig())
    return replace(known, **changes)


def test_the_best_within_the_target_is_written(checkpoint: Path, trained: Trained, tmp_path: Path) -> None:
    lines: list[str] = []
    result = compress(checkpoint, tmp_path / "out", spec(ms=0.6), trained, lines.append)
    assert [each.name for each in result.candidates] == [
        "full",
        "feed-forward 32",
        "1 layer",
        "1 layer, feed-forward 32",
    ]
    assert [Path(each.model).name for each in trained.configs] == ["pruned-1-layer", "pruned-feed-forward-32"]
    assert trained.splits == {"train", "valid"}
    assert result.chosen == "1 layer" and result.misses == ()
    assert result.front == ("feed-forward 32", "1 layer")  # as good as the checkpoint, and faster
    assert result.test is not None and result.test.split == "test"
    assert result.layers["1"].tried == 2 and any("2 ways were tried" in line for line in lines)
    assert "meets the target of 0.6 ms" in verdict(result)
    out = tmp_path / "out"
    assert shape_of(out) == (1, 64) and open_checkpoint(out).record
    record = load_json(TrainingRecord, out / RECORD)
    assert record.base_model == checkpoint.name and record.compression
    assert record.compression["from"] == checkpoint.name
    assert record.compression["layers"] == [*result.layers["1"].kept]
    assert load_json(CompressionResult, out / RESULT) == result
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_out_of_reach_the_nearest_is_written_with_what_it_misses(
    checkpoint: Path, trained: Trained, tmp_path: Path
) -> None:
    lines: list[str] = []
    result = compress(checkpoint, tmp_path / "out", spec(ms=0.01), trained, lines.append)
    assert lines[1] == "no shape reaches the target; the smallest, 1 layer, feed-forward 32: 0.38 ms, 0.1 MB"
    assert len(trained.configs) == 1
    assert result.chosen == "1 layer, feed-forward 32"
    assert result.misses == ("0.38 ms per text, the target is 0.01 ms",)
    assert "No candidate meets the target" in verdict(result) and shape_of(tmp_path / "out") == (1, 32)


def test_what_loses_too_much_f1_is_not_written(checkpoint: Path, trained: Trained, tmp_path: Path) -> None:
    result = compress(checkpoint, tmp_path / "out", spec(ms=0.6, drop=0.05), trained)
    assert result.chosen == "feed-forward 32" and result.misses == ("0.75 ms per text, the target is 0.6 ms",)


def test_nothing_is_trained_where_the_checkpoint_meets_the_target(
    checkpoint: Path, trained: Trained, tmp_path: Path
) -> None:
    result = compress(checkpoint, tmp_path / "out", spec(ms=1), trained)
    assert (result.chosen, trained.configs) == ("full", [])
    assert (tmp_path / "out" / "model.safetensors").read_bytes() == (checkpoint / "model.safetensors").read_bytes()


def test_a_size_cuts_the_vocabulary_to_what_train_and_the_corpus_use(
    checkpoint: Path, trained: Trained, tmp_path: Path
) -> None:
    result = compress(checkpoint, tmp_path / "one", spec(mb=0.09), trained)
    assert result.vocabulary and result.vocabulary.before == 400 and result.vocabulary.changed == 0
    assert result.chosen.endswith(f"vocabulary {result.vocabulary.after}")
    assert json.loads((tmp_path / "one" / "config.json").read_text())["vocab_size"] == result.vocabulary.after < 400
    more = compress(checkpoint, tmp_path / "two", spec(mb=0.09, corpus=("bearing motor valve",)), trained)
    assert more.vocabulary and more.vocabulary.after > result.vocabulary.after


def test_a_vocabulary_that_would_change_too_much_stays(checkpoint: Path, trained: Trained, tmp_path: Path) -> None:
    splits = {**SPLITS, "valid": split("valid", "pump leaks", "bearing noise replaced")}
    result = compress(checkpoint, tmp_path / "out", spec(mb=0.09, splits=splits), trained)
    assert result.vocabulary and result.vocabulary.changed > 0.05
    assert {each.shape.vocabulary for each in result.candidates} == {400}
    assert "the budget is 5.00% (--max-unknown)" in result.notes[0] and "--corpus" in result.notes[0]


def test_an_interrupted_compression_continues(
    checkpoint: Path, trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(splits: Any, config: TrainConfig, out: Path, resume: bool) -> None:
        if trained.configs:
            raise KeyboardInterrupt
        trained(splits, config, out, resume)

    with pytest.raises(KeyboardInterrupt):
        compress(checkpoint, tmp_path / "out", spec(ms=0.6), interrupted)
    assert [path.name for path in tmp_path.iterdir()] == ["out.unfinished"]
    monkeypatch.setattr(VariantRunner, "time", None)  # measured before
    again = compress(checkpoint, tmp_path / "out", spec(ms=0.6), trained)
    assert len(trained.configs) == 2
    monkeypatch.setattr(VariantRunner, "time", measured)
    assert again == compress(checkpoint, tmp_path / "other", spec(ms=0.6), Trained())


def test_another_target_uses_what_was_done(
    checkpoint: Path, trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ZeroDivisionError):
        compress(checkpoint, tmp_path / "out", spec(ms=0.6), lambda *_: 1 / 0)
    monkeypatch.setattr(VariantRunner, "time", None)
    assert compress(checkpoint, tmp_path / "out", spec(ms=0.4), trained).target.ms == 0.4


def test_other_data_does_not_continue(checkpoint: Path, trained: Trained, tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        compress(checkpoint, tmp_path / "out", spec(ms=0.6), lambda *_: 1 / 0)
    other = {**SPLITS, "train": split("train", "seal leaks")}
    with pytest.raises(UserInputError, match="has another data set"):
        compress(checkpoint, tmp_path / "out", spec(ms=0.6, splits=other), trained)


@pytest.mark.parametrize(
    ("splits", "message"),
    [
        ({"train": split("train")}, "the data has no valid split"),
        ({**SPLITS, "valid": replace(split("valid"), labelled=False)}, "is text without labels"),
        (
            {name: replace(each, sentences=(Sentence("a", ((0, 1),), ()),)) for name, each in SPLITS.items()},
            "no entity with the label PART",
        ),
    ],
)
def test_data_that_does_not_fit_is_refused(
    checkpoint: Path, trained: Trained, tmp_path: Path, splits: dict[str, Dataset], message: str
) -> None:
    with pytest.raises(UserInputError, match=message):
        compress(checkpoint, tmp_path / "out", spec(ms=1, splits=splits), trained)
    assert list(tmp_path.iterdir()) == []


def changed(checkpoint: Path, folder: Path, **settings: Any) -> Path:
    shutil.copytree(checkpoint, folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | settings))
    return folder


def test_other_architectures_and_schemes_are_refused(checkpoint: Path, trained: Trained, tmp_path: Path) -> None:
    albert = changed(checkpoint, tmp_path / "albert", model_type="albert")
    with pytest.raises(UserInputError, match=r"'albert'.*cannot be compressed"):
        compress(albert, tmp_path / "out", spec(ms=1), trained)
    plain = changed(checkpoint, tmp_path / "plain", id2label={"0": "O", "1": "PART", "2": "FAULT"})
    splits = {
        name: replace(each, sentences=(*each.sentences, Sentence("a", ((0, 1),), (Span("FAULT", 0, 1),))))
        for name, each in SPLITS.items()
    }
    with pytest.raises(UserInputError, match="labels are in PLAIN"):
        compress(plain, tmp_path / "out", spec(ms=1, splits=splits), trained)


def test_the_checkpoint_itself_is_not_replaced(checkpoint: Path, trained: Trained, tmp_path: Path) -> None:
    with pytest.raises(UserInputError, match="would replace the checkpoint"):
        compress(checkpoint, checkpoint, spec(ms=1), trained)
    with pytest.raises(UserInputError, match="is inside the checkpoint"):
        compress(checkpoint, checkpoint / "small", spec(ms=1), trained)
    assert not (checkpoint / "small.unfinished").exists()
    own = changed(checkpoint, tmp_path / "own")
    with pytest.raises(UserInputError, match=r"has no compression\.json"):
        compress(checkpoint, own, spec(ms=1), trained)

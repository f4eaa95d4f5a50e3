"""Distillation: the loss, and runs that learn from teachers."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from edgener.checkpoint import open_checkpoint
from edgener.data.types import Dataset
from edgener.parity.reference import PyTorchModel
from edgener.train import trainer as trainer_module
from edgener.train.config import TrainConfig
from edgener.train.distil import Distillation
from edgener.train.features import IGNORED, Features
from edgener.train.run import train
from edgener.train.teacher import TeacherModel, TeacherOutputs
from edgener_runtime.decoding.decode import softmax
from edgener_runtime.errors import UserInputError

pytestmark = pytest.mark.compat

Quick = Callable[..., TrainConfig]
Few = dict[str, Dataset]
Weights = Callable[[Path], dict[str, Any]]
TEXTS = ("Pump 7 in Oslo leaks oil.", "Fix 3 valves in Bergen", "At 40 bar Line 9 stops .")


@pytest.fixture(scope="module")
def bert(make_teacher: Callable[..., Path]) -> Path:
    return make_teacher("bert-uncased", "O B-NAME I-NAME B-NUMBER I-NUMBER")


@pytest.fixture(scope="module")
def roberta(make_teacher: Callable[..., Path]) -> Path:
    """With another tokenizer and another order of labels."""
    return make_teacher("roberta", "I-NUMBER B-NAME O B-NUMBER I-NAME", 2)


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("texts") / "texts.txt"
    file.write_text("\n".join(TEXTS))
    return str(file)


# --- the loss

SOFT = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0, 0, 0], [0.3, 0.3, 0.4]], dtype=np.float16)
HIDDEN = np.arange(16, dtype=np.float16).reshape(4, 2, 2)


class Given(torch.nn.Module):
    """A model of two layers that gives the same logits and hidden states for every input."""

    def __init__(self, logits: Any, states: Any = ()) -> None:
        super().__init__()
        self.logits, self.states = torch.tensor(logits), states
        self.config, self.device = SimpleNamespace(hidden_size=2), "cpu"

    def forward(self, input_ids: Any, output_hidden_states: bool = False) -> Any:
        return SimpleNamespace(logits=self.logits, hidden_states=self.states if output_hidden_states else None)


def distillation(rows: Any = (), hidden: Any = None, **changes: Any) -> Distillation:
    return Distillation(Features(list(rows), []), TeacherOutputs(SOFT, hidden), replace(TrainConfig(), **changes))


def pad(side: str) -> Callable[[list[dict[str, Any]]], dict[str, Any]]:
    def padded(rows: list[dict[str, Any]]) -> dict[str, Any]:
        longest = max(len(row["input_ids"]) for row in rows)
        found: dict[str, Any] = {}
        for name, fill in (("input_ids", 0), ("labels", IGNORED)):
            fills = [[fill] * (longest - len(row[name])) for row in rows]
            found[name] = torch.tensor(
                [
                    more + row[name] if side == "left" else row[name] + more
                    for row, more in zip(rows, fills, strict=True)
                ]
            )
        return found

    return padded


ROWS = [  # a word with both labels, one with a soft label alone, one with a hard label alone, and one that is ignored
    {"input_ids": [5, 6, 7, 8], "labels": [0, IGNORED, 2, IGNORED], "words": [0, 1, 2, IGNORED]},
    {"input_ids": [9], "labels": [IGNORED], "words": [3]},
]
LOGITS = [[[1.0, 2.0, 3.0], [0.5, 0.0, 1.0], [2.0, 1.0, 0.0], [9.0, 0.0, 0.0]]] * 2


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_the_loss_is_a_mean_over_the_words_that_have_a_label(share: float) -> None:
    distil = distillation(soft_share=share, temperature=3.0)
    found = float(distil.loss(Given(LOGITS), distil.collate(ROWS, pad("right"))))
    logits = np.array(LOGITS[0])
    hard = -np.log(softmax(logits)[0, 0]) - np.log(softmax(logits)[2, 2])
    taught = ((logits[0], SOFT[0]), (logits[1], SOFT[1]), (logits[0], SOFT[3]))
    soft = sum(float((own * np.log(own / softmax(given, 3.0))).sum()) for given, own in taught)
    assert found == pytest.approx(((1 - share) * hard + share * soft * 9) / 4, abs=1e-3)


@pytest.mark.parametrize("side", ["left", "right"])
def test_outputs_of_teachers_stand_at_their_words_however_a_batch_is_padded(side: str) -> None:
    batch = distillation(hidden=HIDDEN).collate(ROWS, pad(side))
    at = 3 if side == "left" else 0
    assert batch["soft"].shape == (2, 4, 3) and batch["hidden"].shape == (2, 4, 2, 2)
    assert (batch["soft"][0].numpy() == [*SOFT[:3], [0, 0, 0]]).all()
    assert (batch["soft"][1, at].numpy() == SOFT[3]).all() and (batch["hidden"][1, at].numpy() == HIDDEN[3]).all()
    assert not np.delete(batch["soft"][1].numpy(), at, 0).any()
    assert "words" not in batch


@pytest.mark.parametrize("row", [{"labels": [IGNORED], "words": [3]}, {"labels": [1], "words": [2]},
                                 {"labels": [IGNORED], "words": [IGNORED]}])  # fmt: skip
def test_a_batch_that_has_no_hard_or_no_soft_label_has_a_finite_loss(row: dict[str, Any]) -> None:
    states = [torch.zeros(1, 1, 2)] * 3
    distil = distillation(hidden=HIDDEN, hidden_share=1.0)
    loss = distil.loss(Given([[[1.0, 2.0, 3.0]]], states), distil.collate([{"input_ids": [5], **row}], pad("right")))
    assert np.isfinite(float(loss))


def test_validation_rows_are_padded_as_ever() -> None:
    rows = [{"input_ids": [5, 6], "labels": [0, 1]}]
    assert distillation(hidden=HIDDEN).collate(rows, pad("right")).keys() == {"input_ids", "labels"}


def test_hidden_states_are_compared_layer_by_layer_at_the_words_that_are_taught() -> None:
    states = [torch.full((2, 4, 2), float(layer)) for layer in range(3)]
    model = Given(LOGITS, states)
    plain, distil = distillation(), distillation(hidden=HIDDEN, hidden_share=0.5)
    batch = distil.collate(ROWS, pad("right"))
    distil.fit_projections(model, pad("right"))  # widths are equal: none is fitted
    extra = float(distil.loss(model, batch)) - float(plain.loss(model, plain.collate(ROWS, pad("right"))))
    expected = np.mean([(HIDDEN[word, layer] - layer - 1.0) ** 2 for word in (0, 1, 3) for layer in (0, 1)])
    assert extra == pytest.approx(0.5 * expected, rel=1e-3)


def test_another_width_is_compared_through_a_map_that_is_fitted_before_training() -> None:
    """Hidden states that are a linear function of the teacher's are no distance away."""
    generator = torch.Generator().manual_seed(1)
    own = torch.randn(1, 4, 2, generator=generator)
    maps = torch.randn(2, 2, 3, generator=generator)
    hidden = torch.stack([own[0] @ each for each in maps], 1).numpy().astype(np.float16)
    rows = [{"input_ids": [5, 6, 7, 8], "labels": [0, 1, 2, 0], "words": [0, 1, IGNORED, 3]}]
    model = Given([[[1.0, 2.0, 3.0]] * 4], [own] * 3)
    distil, plain = distillation(rows, hidden, hidden_share=1.0), distillation()
    distil.fit_projections(model, pad("right"))
    losses = [float(each.loss(model, each.collate(rows, pad("right")))) for each in (distil, plain)]
    assert losses[0] == pytest.approx(losses[1], abs=0.01)
    model.states = [own + 1] * 3
    assert float(distil.loss(model, distil.collate(rows, pad("right")))) > losses[1] + 0.1


# --- runs


def test_a_run_learns_from_an_ensemble_with_other_tokenizers_and_from_unlabelled_texts(
    few: Few, quick: Quick, bert: Path, roberta: Path, texts: str, weights: Weights, tiny: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    train(few, quick(epochs=1, teacher=(str(bert), str(roberta)), unlabelled=texts), out)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert weights(out).keys() == weights(tiny).keys()
    record = open_checkpoint(out).record
    assert record is not None and [each.name for each in record.teachers] == ["checkpoint", "checkpoint"]
    assert all(len(each.weights["model.safetensors"]) == 64 for each in record.teachers)
    assert record.data["unlabelled"].sentences == len(TEXTS) and record.data["unlabelled"].source == "texts.txt"
    assert (record.hyper_parameters["temperature"], record.hyper_parameters["soft_share"]) == (2.0, 0.5)
    assert (
        str(tmp_path) not in (out / "edgener.json").read_text() and str(bert) not in (out / "edgener.json").read_text()
    )


@pytest.mark.parametrize(
    "changes",
    [{"lora_rank": 2}, {"precision": "bf16"}, {"accumulation": 2, "label_all_subwords": True, "soft_share": 1.0}],
)
def test_it_goes_with_the_other_settings(
    few: Few, quick: Quick, roberta: Path, texts: str, tmp_path: Path, changes: dict[str, Any]
) -> None:
    data = {"train": replace(few["train"], sentences=few["train"].sentences[:32])}
    result = train(
        data, quick(teacher=(str(roberta),), unlabelled=texts, hidden_share=0.1, **changes), tmp_path / "out"
    )
    losses = [epoch["train_loss"] for epoch in result.epochs]
    assert losses[1] < losses[0]


def test_a_wider_model_learns_the_hidden_states_of_a_narrow_one(
    few: Few, quick: Quick, tiny_encoder: Path, roberta: Path, weights: Weights, tmp_path: Path
) -> None:
    data = {"train": replace(few["train"], sentences=few["train"].sentences[:32])}
    settings = {"model": str(tiny_encoder), "learning_rate": 1e-3, "soft_share": 0.0}
    for share in (0.0, 1.0):
        train(data, quick(**settings, teacher=(str(roberta),), hidden_share=share), tmp_path / str(share))
    without, found = (weights(tmp_path / str(share)) for share in (0.0, 1.0))
    assert found.keys() == without.keys()  # the maps between widths are thrown away
    assert not any(found[name].equal(without[name]) for name in found if ".layer." in name)


def divergence(some: Path, teacher: Path, dataset: Dataset) -> float:
    """The mean Kullback-Leibler divergence of a checkpoint from a teacher with the same tokenizer, over subwords."""
    texts = [sentence.text for sentence in dataset.sentences]
    found = []
    for folder in (some, teacher):
        with PyTorchModel.open(open_checkpoint(folder)) as model:
            found.append(np.concatenate([softmax(scored.logits) for scored in model.logits(texts)]))
    return float((found[1] * np.log(found[1] / found[0])).sum(-1).mean())


def test_distillation_moves_a_model_towards_a_better_one(
    trained: Path, small_factory: Few, quick: Quick, tiny_encoder: Path, tmp_path: Path
) -> None:
    data = {name: replace(each, sentences=each.sentences[:60]) for name, each in small_factory.items()}
    further = tmp_path / "further.txt"
    distinct = dict.fromkeys(sentence.text for sentence in small_factory["train"].sentences[60:180])
    scored = {sentence.text for name in ("valid", "test") for sentence in data[name].sentences}
    further.write_text("\n".join(text for text in distinct if text not in scored))
    settings = {"model": str(tiny_encoder), "epochs": 3, "learning_rate": 1e-3, "batch_size": 8}
    found = {}
    for name, more in (("hard", {}), ("soft", {"teacher": (str(trained),), "unlabelled": str(further)})):
        result = train(data, quick(**settings, **more), tmp_path / name)
        found[name] = (divergence(tmp_path / name, trained, data["test"]), result.after.micro.f1)
    assert found["soft"][0] < 0.7 * found["hard"][0], found


def test_a_run_that_was_interrupted_goes_on_to_the_same_weights_without_asking_the_teacher_again(
    few: Few, quick: Quick, roberta: Path, texts: str, weights: Weights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = quick(epochs=2, teacher=(str(roberta),), unlabelled=texts, hidden_share=0.1)
    train(few, config, tmp_path / "whole")
    honest, epochs = trainer_module._entity_metrics, []

    def interrupted(*arguments: Any) -> Callable[[Any], dict[str, float]]:
        def score(evaluated: Any) -> dict[str, float]:
            epochs.append(evaluated)
            if len(epochs) == 2:
                raise KeyboardInterrupt
            return honest(*arguments)(evaluated)

        return score

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(trainer_module, "_entity_metrics", interrupted)
        train(few, config, tmp_path / "out")
    monkeypatch.setattr(TeacherModel, "load", lambda *_: pytest.fail("it was asked again"))
    for changes in ({"temperature": 3.0}, {"unlabelled": None}, {"soft_share": 0.1}):
        with pytest.raises(UserInputError, match="had other settings or data"):
            train(few, replace(config, **changes), tmp_path / "out", resume=True)
    train(few, config, tmp_path / "out", resume=True)
    whole, found = weights(tmp_path / "whole"), weights(tmp_path / "out")
    assert {name for name in whole if not whole[name].equal(found[name])} == set()


def test_a_teacher_that_changed_is_not_resumed_from(
    few: Few, quick: Quick, make_teacher: Callable[..., Path], tmp_path: Path
) -> None:
    teacher = make_teacher("bert-uncased", "O B-NAME I-NAME B-NUMBER I-NUMBER")
    work = tmp_path / "out.unfinished"
    (work / "checkpoint-1").mkdir(parents=True)
    (work / "checkpoint-1" / "trainer_state.json").write_text("{}")
    config = quick(teacher=(str(teacher),), threads=1)
    weights = [{"model.safetensors": "0" * 64}]
    hashes = {name: split.sha256 for name, split in few.items()}
    (work / "edgener-settings.json").write_text(json.dumps([asdict(config), hashes, "1", str(work), weights]))
    with pytest.raises(UserInputError, match="had other settings or data"):
        train(few, config, tmp_path / "out", resume=True)


def test_a_teacher_of_other_labels_is_refused_before_anything_is_written(
    few: Few, quick: Quick, make_teacher: Callable[..., Path], tmp_path: Path
) -> None:
    teacher = make_teacher("bert-uncased", "O B-PER I-PER")
    with pytest.raises(UserInputError, match="without NAME, NUMBER; also PER"):
        train(few, quick(teacher=(str(teacher),)), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_teacher_is_not_replaced_by_its_student(few: dict[str, Dataset], quick: Quick, tmp_path: Path) -> None:
    out = tmp_path / "teacher"
    out.mkdir()
    (out / "edgener.json").touch()
    with pytest.raises(UserInputError, match="would replace the checkpoint"):
        train(few, quick(teacher=(str(out),)), out)

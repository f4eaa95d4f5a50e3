"""Updates: what they train on, what they know, and what the gate lets through."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from edgener.checkpoint import open_checkpoint
from edgener.compress.recovery import recovery_settings
from edgener.data.reasons import IN_TEST_SET
from edgener.data.types import Dataset, Sentence, Span
from edgener.parity.budgets import UPDATE_BUDGET, Budget
from edgener.parity.gate import Verdict
from edgener.train import run as run_module
from edgener.train.config import TrainConfig
from edgener.train.run import TrainResult
from edgener.train.update import RefusedUpdateError, UpdateSpec, apart_from_tests, replay, settings_of, update
from edgener_runtime.base.files import sha256_of
from edgener_runtime.errors import UserInputError

Few = dict[str, Dataset]
Finished = tuple[Path, TrainResult]
LOOSE, STRICT = (Budget(UPDATE_BUDGET.figure, limit) for limit in (1.0, 1e-9))


@pytest.fixture(scope="module")
def signs(few: Few) -> Few:
    """Splits whose entities of NAME are of a label that the checkpoint does not know, in other texts."""
    return {name: replace(split, source="/else/signs.jsonl", sentences=tuple(map(relabelled, split.sentences)))
            for name, split in few.items()}  # fmt: skip


def relabelled(sentence: Sentence) -> Sentence:
    spans = (replace(span, label="SIGN") if span.label == "NAME" else span for span in sentence.spans)
    return replace(sentence, text=f"{sentence.text} !", spans=tuple(spans))


@pytest.fixture
def one_epoch(tmp_path: Path) -> Path:
    file = tmp_path / "settings.yaml"
    file.write_text("{epochs: 1, threads: 1, precision: fp32, device: cpu}")
    return file


def test_an_update_knows_the_old_and_the_new_labels_and_records_its_origin(
    finished: Finished, few: Few, signs: Few, one_epoch: Path, tmp_path: Path
) -> None:
    parent, out = finished[0], tmp_path / "out"
    spec = UpdateSpec(signs, few, 0.25, (LOOSE,), allow_new_labels=True)
    result = update(parent, out, spec, one_epoch)
    assert result.verdict is Verdict.PASS and result.new_labels == ("SIGN",) and result.checkpoint == str(out)
    assert result.old.labels == ("NAME", "NUMBER") and result.new.labels == ("NAME", "NUMBER", "SIGN")
    assert result.old.entities == sum(few["test"].entity_counts.values())
    updated = open_checkpoint(out)
    assert updated.entity_labels == ("NAME", "NUMBER", "SIGN") and updated.case_channel
    assert updated.record and updated.record.update
    record = updated.record.update
    assert record.parent == {"model.safetensors": sha256_of(parent / "model.safetensors")}
    assert record.new_labels == ("SIGN",) and record.replay_share == 0.25
    assert record.data["old test"].sha256 == few["test"].sha256
    assert record.data["old train"].sentences == 16 and updated.record.data["train"].sentences == 80
    assert updated.record.data["train"].source == "signs.jsonl + train.jsonl"
    assert record.gate["new"]["verdict"] == "pass"
    assert updated.record.hyper_parameters["batch_size"] == 4  # the parent's
    assert "/else" not in (out / "edgener.json").read_text()
    assert {path.name for path in tmp_path.iterdir()} == {"out", "settings.yaml"}


def test_a_refused_update_writes_nothing_and_is_judged_again_without_training(
    finished: Finished, few: Few, one_epoch: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    one_epoch.write_text("{epochs: 1, threads: 1, precision: fp32, device: cpu, learning_rate: 5.0}")
    with pytest.raises(RefusedUpdateError, match=r"the update lost .* of entity F1") as caught:
        update(finished[0], out, UpdateSpec(few, few), one_epoch)
    assert caught.value.exit_code == 3 and "--resume" in str(caught.value.hint)
    assert caught.value.result.checkpoint is None and caught.value.result.old.verdict is Verdict.FAIL
    assert not out.exists() and out.with_name("out.unfinished").is_dir()

    steps: list[object] = []
    honest = run_module.build_trainer

    def counted(*arguments: Any) -> Any:
        trainer = honest(*arguments)
        trainer.training_step = lambda *_: steps.append(1)
        return trainer

    monkeypatch.setattr(run_module, "build_trainer", counted)
    result = update(finished[0], out, UpdateSpec(few, few, budgets=(LOOSE,)), one_epoch, resume=True)
    assert steps == [] and result.old.f1_after == caught.value.result.old.f1_after
    assert open_checkpoint(out).record and not out.with_name("out.unfinished").exists()


def test_too_little_text_is_inconclusive(finished: Finished, few: Few, one_epoch: Path, tmp_path: Path) -> None:
    with pytest.raises(RefusedUpdateError, match="entities are too few for a verdict") as caught:
        update(finished[0], tmp_path / "out", UpdateSpec(few, few, budgets=(STRICT,)), one_epoch)
    assert caught.value.exit_code == 4 and not (tmp_path / "out").exists()


@pytest.mark.parametrize("allowed", [False, True])
def test_labels_that_the_checkpoint_lacks_are_refused(
    allowed: bool, finished: Finished, few: Few, signs: Few, tmp_path: Path
) -> None:
    """Of the new data without the option, of the old data always, and of a test set alone."""
    new = {**few, "test": signs["test"]} if allowed else signs
    with pytest.raises(UserInputError, match=r"labels that the .* not know: SIGN; .* knows NAME, NUMBER") as caught:
        update(finished[0], tmp_path / "out", UpdateSpec(new, few, allow_new_labels=allowed))
    assert ("--allow-new-labels" in str(caught.value.hint)) is not allowed
    with pytest.raises(UserInputError, match="labels that the model does not know: SIGN"):
        update(finished[0], tmp_path / "out", UpdateSpec(few, signs, allow_new_labels=True))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda few: {"all": few["train"]}, "the new data have no train split, only all"),
        (lambda few: {name: few[name] for name in ("train", "valid")}, "the new data have no test split"),
        (lambda few: {**few, "test": replace(few["test"], labelled=False)}, "is text without labels"),
        (lambda few: {**few, "test": without_entities(few["test"])}, "has no entities to judge on"),
        (lambda few: {**few, "train": few["test"]}, "has no sentence for training that no test set has"),
    ],
)
def test_data_that_cannot_be_judged_or_learned_are_refused(
    change: Callable[[Few], Few], message: str, finished: Finished, few: Few, tmp_path: Path
) -> None:
    with pytest.raises(UserInputError, match=message):
        update(finished[0], tmp_path / "out", UpdateSpec(change(few), few))
    assert list(tmp_path.iterdir()) == []


def without_entities(split: Dataset) -> Dataset:
    return replace(split, sentences=tuple(replace(sentence, spans=()) for sentence in split.sentences))


def test_the_checkpoint_is_not_replaced_by_its_update(finished: Finished, few: Few) -> None:
    with pytest.raises(UserInputError, match="would replace the checkpoint"):
        update(finished[0], finished[0], UpdateSpec(few, few))
    with pytest.raises(UserInputError, match="would replace the checkpoint"):
        update(finished[0], finished[0].parent, UpdateSpec(few, few))


def test_sentences_of_a_test_set_are_left_out_of_training_and_counted(few: Few) -> None:
    shared = few["test"].sentences[:3]
    new = {"train": replace(few["train"], sentences=(*shared, *few["train"].sentences))}
    rest, old = apart_from_tests(new, few)
    assert len(rest["train"].sentences) == len(few["train"].sentences) and rest["train"].repairs[IN_TEST_SET] == 3
    assert old["test"] == few["test"] and apart_from_tests(rest, old) == (rest, old)


def test_a_share_is_drawn_by_its_seed_in_order() -> None:
    sentences = tuple(Sentence(str(number), ((0, 1),), (Span("A", 0, 1),)) for number in range(100))
    whole = Dataset("old", "train", sentences, "jsonl")
    drawn = [replay(whole, 0.3, seed).sentences for seed in (0, 0, 1)]
    assert len(drawn[0]) == 30 and drawn[0] == drawn[1] != drawn[2]
    assert list(drawn[0]) == sorted(drawn[0], key=lambda sentence: int(sentence.text))
    assert replay(whole, 1, 0) == whole and len(replay(whole, 0.001, 0).sentences) == 1


def test_sentences_between_which_one_is_missing_are_of_different_documents() -> None:
    sentences = tuple(Sentence(str(number), ((0, 1),), (), document=1) for number in range(100))
    drawn = replay(Dataset("old", "train", sentences, "jsonl"), 0.5, 0).sentences
    for first, second in pairwise(drawn):
        assert (first.document == second.document) == (int(second.text) == int(first.text) + 1)


def test_settings_are_those_of_the_checkpoint_below_those_of_the_file(finished: Finished, tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text("epochs: 9\n")
    config = settings_of(open_checkpoint(finished[0]), file)
    assert (config.epochs, config.batch_size, config.learning_rate) == (9, 4, 0.01)
    assert config.case_channel and config.model == str(finished[0]) and config.threads is None
    file.write_text("case_channel: false\n")
    with pytest.raises(UserInputError, match="case_channel is that of the checkpoint"):
        settings_of(open_checkpoint(finished[0]), file)


@pytest.mark.parametrize("settings", [settings_of, lambda each, file: recovery_settings(each, file, {})])
def test_what_a_checkpoint_learned_from_its_own_teacher_is_not_asked_for_again(
    settings: Callable[..., TrainConfig], finished: Finished, tmp_path: Path
) -> None:
    """The record has the weight of the hidden states, but not the teacher's folder."""
    student = shutil.copytree(finished[0], tmp_path / "student")
    record = json.loads((student / "edgener.json").read_text())
    record["hyper_parameters"] |= {"hidden_share": 0.5, "soft_share": 0.9}
    (student / "edgener.json").write_text(json.dumps(record))
    config = settings(open_checkpoint(student), None)
    assert (config.hidden_share, config.soft_share, config.epochs) == (0, 0.5, record["hyper_parameters"]["epochs"])


def test_a_damaged_record_names_its_setting(finished: Finished, tmp_path: Path) -> None:
    broken = shutil.copytree(finished[0], tmp_path / "broken")
    record = json.loads((broken / "edgener.json").read_text())
    record["hyper_parameters"] |= {"epochs": -1, "of_a_later_version": 1}
    (broken / "edgener.json").write_text(json.dumps(record))
    with pytest.raises(UserInputError, match="hyper_parameters has epochs: -1, expected a whole number, more than 0"):
        settings_of(open_checkpoint(broken), None)
    with pytest.raises(UserInputError, match="hyper_parameters has epochs: -1"):
        recovery_settings(open_checkpoint(broken), None, {})


def test_the_settings_of_a_compression_have_the_checkpoint_as_the_teacher(finished: Finished, tmp_path: Path) -> None:
    file, checkpoint = tmp_path / "settings.yaml", open_checkpoint(finished[0])
    file.write_text("hidden_share: 0.5\n")
    config = recovery_settings(checkpoint, file, {"epochs": 9})
    assert (config.hidden_share, config.teacher, config.epochs) == (0.5, (str(finished[0]),), 9)
    file.write_text("model: package:cognition/model\n")
    with pytest.raises(UserInputError, match="model is that of the checkpoint in a compression"):
        recovery_settings(checkpoint, file, {})

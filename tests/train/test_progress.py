"""The progress of a run, for people and for programs."""

from __future__ import annotations

from typing import Any

import pytest
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from edgener.train.progress import epoch_figures, training_bar


def test_the_figures_of_an_epoch_are_one_row() -> None:
    log = [
        {"loss": 2.0, "epoch": 1.0, "step": 4},
        {"eval_loss": 1.5, "eval_f1": 0.5, "epoch": 1.0, "step": 4},
        {"eval_loss": 1.2, "eval_f1": 0.6, "epoch": 2.0000001, "step": 8},
        {"loss": 1.0, "epoch": 2.0, "step": 8},
        {"train_runtime": 3.0, "train_loss": 1.5, "epoch": 2.0, "step": 8},
    ]
    assert epoch_figures(log) == [
        {"epoch": 1.0, "train_loss": 2.0, "valid_loss": 1.5, "valid_f1": 0.5},
        {"epoch": 2.0, "train_loss": 1.0, "valid_loss": 1.2, "valid_f1": 0.6},
    ]
    assert epoch_figures([]) == []


class FakeTrainer:
    """As much of a Trainer as a bar sees."""

    def __init__(self, main: bool = True) -> None:
        self.callbacks: list[TrainerCallback] = []
        self.main = main

    def is_world_process_zero(self) -> bool:
        return self.main

    def add_callback(self, callback: TrainerCallback) -> None:
        self.callbacks.append(callback)

    def run(self, arguments: TrainingArguments, fault: BaseException | None = None) -> None:
        state, control = TrainerState(max_steps=3, log_history=[]), TrainerControl()
        for callback in self.callbacks:
            callback.on_train_begin(arguments, state, control)
            state.global_step = 3
            callback.on_step_end(arguments, state, control)
            callback.on_log(arguments, state, control, logs={"loss": 0.25, "eval_f1": 0.875})
        if fault:
            raise fault


@pytest.fixture
def arguments(tmp_path: Any) -> TrainingArguments:
    return TrainingArguments(output_dir=str(tmp_path), report_to=[], use_cpu=True)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")


def test_a_person_sees_steps_loss_and_f1_on_stderr(
    terminal: None, capsys: pytest.CaptureFixture[str], arguments: TrainingArguments
) -> None:
    trainer = FakeTrainer()
    with training_bar(trainer):
        trainer.run(arguments)
    out, err = capsys.readouterr()
    assert out == ""
    assert "3/3" in err and "loss 0.2500" in err and "valid F1 0.8750" in err


def test_a_run_that_is_interrupted_gives_the_terminal_its_cursor_back(
    terminal: None, capsys: pytest.CaptureFixture[str], arguments: TrainingArguments
) -> None:
    trainer = FakeTrainer()
    with pytest.raises(KeyboardInterrupt), training_bar(trainer):
        trainer.run(arguments, KeyboardInterrupt())
    err = capsys.readouterr().err
    assert err.rindex("\x1b[?25h") > err.rindex("\x1b[?25l")


@pytest.mark.parametrize("case", ["no terminal", "not the main process"])
def test_elsewhere_nothing_is_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: TrainingArguments, case: str,
    request: pytest.FixtureRequest,
) -> None:  # fmt: skip
    if case == "no terminal":
        for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
            monkeypatch.delenv(name, raising=False)
    else:
        request.getfixturevalue("terminal")
    trainer = FakeTrainer(main=case != "not the main process")
    with training_bar(trainer):
        trainer.run(arguments)
    assert capsys.readouterr() == ("", "")

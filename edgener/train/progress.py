"""The progress of a training run for a person (a bar on stderr) and for a program (figures of each epoch)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from transformers import TrainerCallback


@contextmanager
def training_bar(trainer: Any) -> Iterator[None]:
    """A bar over a Trainer's steps, gone at the end however it comes; silent when stderr is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    figures = TextColumn("{task.fields[figures]}")
    silent = not console.is_terminal or not trainer.is_world_process_zero()
    with Progress(*columns, figures, console=console, disable=silent, transient=True) as bar:
        trainer.add_callback(_BarCallback(bar))
        yield


class _BarCallback(TrainerCallback):  # type: ignore[misc]
    """Moves the bar, with the last loss and the last validation F1 beside it."""

    def __init__(self, bar: Any) -> None:
        self.bar = bar
        self.task = bar.add_task("training", figures="")
        self.figures: dict[str, str] = {}

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.bar.update(self.task, total=state.max_steps, completed=state.global_step)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.bar.update(self.task, completed=state.global_step)

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **kwargs: Any) -> None:
        for key, name in (("loss", "loss"), ("eval_f1", "valid F1")):
            if logs and key in logs:
                self.figures[key] = f"{name} {logs[key]:.4f}"
        self.bar.update(self.task, figures="  ".join(self.figures.values()))


def epoch_figures(log_history: list[dict[str, float]]) -> list[dict[str, float]]:
    """Mean training loss and validation figures, a row an epoch; a resumed run carries its log on."""
    epochs: dict[float, dict[str, float]] = {}
    for entry in log_history:
        row = epochs.setdefault(round(entry["epoch"], 3), {"epoch": round(entry["epoch"], 3)})
        for key, name in (("loss", "train_loss"), ("eval_loss", "valid_loss"), ("eval_f1", "valid_f1")):
            if key in entry:
                row[name] = entry[key]
    return [row for epoch, row in sorted(epochs.items()) if epoch > 0]

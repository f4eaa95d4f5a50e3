"""The progress of a training run: a bar on stderr, and the figures of each epoch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from transformers import TrainerCallback


@contextmanager
def training_bar(trainer: Any) -> Iterator[None]:
    """A bar of a Trainer's steps, removed at the end; silent where stderr is not a terminal."""
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
    """Updates the bar, with the last loss and the last validation F1."""

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
    """Mean training loss and validation figures, one row per epoch; the log of a resumed run is complete."""
    epochs: dict[float, dict[str, float]] = {}
    for entry in log_history:
        row = epochs.setdefault(round(entry["epoch"], 3), {"epoch": round(entry["epoch"], 3)})
        for key, name in (("loss", "train_loss"), ("eval_loss", "valid_loss"), ("eval_f1", "valid_f1")):
            if key in entry:
                row[name] = entry[key]
    return [row for epoch, row in sorted(epochs.items()) if epoch > 0]

"""The progress of a training run for a person (a bar on stderr) and for a program (figures of each epoch)."""

from __future__ import annotations

from typing import Any

from transformers import TrainerCallback


class Progress(TrainerCallback):  # type: ignore[misc]
    """A bar over the steps with the last loss and the best validation F1; silent when stderr is no terminal."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        console = Console(stderr=True)
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[figures]}"),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )
        self.task = self.bar.add_task("training", figures="")
        self.figures: dict[str, str] = {}

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.bar.update(self.task, total=state.max_steps, completed=state.global_step)
        self.bar.start()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.bar.update(self.task, completed=state.global_step)

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **kwargs: Any) -> None:
        for key, name in (("loss", "loss"), ("eval_f1", "valid F1")):
            if logs and key in logs:
                self.figures[key] = f"{name} {logs[key]:.4f}"
        self.bar.update(self.task, figures="  ".join(self.figures.values()))

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.bar.stop()


def epoch_figures(log_history: list[dict[str, float]]) -> list[dict[str, float]]:
    """Mean training loss and validation figures, a row an epoch; a resumed run carries its log on."""
    epochs: dict[float, dict[str, float]] = {}
    for entry in log_history:
        row = epochs.setdefault(round(entry["epoch"], 3), {"epoch": round(entry["epoch"], 3)})
        for key, name in (("loss", "train_loss"), ("eval_loss", "valid_loss"), ("eval_f1", "valid_f1")):
            if key in entry:
                row[name] = entry[key]
    return [row for epoch, row in sorted(epochs.items()) if epoch > 0]

"""Options of the commands that may monitor the texts they answer."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .options import Command, with_options

if TYPE_CHECKING:
    from edgener_runtime.pipeline import TokenClassifier

_SIZE = 1000  # that of label_queue, which is not loaded for a help
_OPTIONS = (
    click.option(
        "--drift", is_flag=True, help="Count certainties, lengths and labels, and compare them with the bundle's."
    ),
    click.option(
        "--label-queue", type=click.Path(path_type=Path), metavar="FILE",
        help="Keep the least certain texts there for labelling, as JSON Lines. Stores texts.",
    ),
    click.option(
        "--label-queue-size", type=click.IntRange(1, 100_000), default=_SIZE, show_default=True,
        help="Most texts of the label queue.",
    ),
    click.option(
        "--label-queue-masked", is_flag=True, help="Write the type of each found entity in place of its text."
    ),
)  # fmt: skip
Load = Callable[[Path], "TokenClassifier"]


@dataclass(frozen=True)
class Monitoring:
    """What is recorded of answered texts: counters for drift, and the least certain ones in a file."""

    drift: bool = False
    queue: Path | None = None
    size: int = _SIZE
    masked: bool = False

    def loading(self, load: Load, name: str | None = None) -> Load:
        """The loader, which then monitors; a named model has a queue of its own: q.jsonl becomes q.NAME.jsonl."""
        if not self.drift and self.queue is None:
            return load
        from edgener_runtime.monitoring.label_queue import LabelQueue

        file = self.queue
        if file and name:
            file = file.with_name(f"{file.stem}.{name}{file.suffix}")
        queue = LabelQueue(file, self.size, self.masked) if file else None

        def load_monitored(bundle: Path) -> TokenClassifier:
            classifier = load(bundle)
            classifier.monitor(self.drift, queue)
            return classifier

        return load_monitored


def monitoring_options(command: Command) -> Command:
    """The options of Monitoring, which the command gets as `monitoring`."""

    @functools.wraps(command)
    def with_monitoring(
        *, drift: bool, label_queue: Path | None, label_queue_size: int, label_queue_masked: bool, **parameters: Any
    ) -> Any:
        if label_queue_masked and label_queue is None:
            raise click.UsageError("--label-queue-masked needs --label-queue")
        return command(monitoring=Monitoring(drift, label_queue, label_queue_size, label_queue_masked), **parameters)

    return with_options(with_monitoring, _OPTIONS)

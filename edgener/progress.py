"""Progress bars on stderr, silent when it is no terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Track = Callable[[str, int], Callable[[], None]]
"""Begin a named stage of so many steps; the answer is called after each step."""


def untracked(stage: str, steps: int) -> Callable[[], None]:
    """A Track that shows nothing."""
    return lambda: None


@contextmanager
def tracked() -> Iterator[Track]:
    """A Track that draws one bar a stage and clears them all at the end."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:

        def track(stage: str, steps: int) -> Callable[[], None]:
            task = progress.add_task(stage, total=steps)
            return lambda: progress.advance(task)

        yield track

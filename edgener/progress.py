"""Progress bars on stderr, silent where stderr is not a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Track = Callable[[str, int], Callable[[], None]]
"""Start a named stage with a number of steps, and return the function to call after each."""


def untracked(stage: str, steps: int) -> Callable[[], None]:
    """A Track that shows nothing."""
    return lambda: None


@contextmanager
def tracked() -> Iterator[Track]:
    """A Track that draws one bar per stage and clears all bars at the end."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:

        def track(stage: str, steps: int) -> Callable[[], None]:
            task = progress.add_task(stage, total=steps)
            return lambda: progress.advance(task)

        yield track

"""The number of threads of a run alone, by its subwords, found out in use.

A second thread shortens long runs. For short ones the cost of sharing the work is more on many machines, and more yet
where others use the cores. onnxruntime sets the threads of a session once, and no two sessions share prepared weights:
one with few threads is opened at first, one with all of them for a comparison, and it is closed again where it is
nowhere faster.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median

from edgener_runtime.backends.base import Session
from edgener_runtime.errors import DeviceError

PATIENCE = 16  # runs of a length before another session is worth its memory: a short program never opens it
TRIALS = 5  # timed runs with each number of threads, in turns, after one that warms up
MARGIN = 0.95  # of the time with few threads: what all threads must stay below to be worth occupying all cores


@dataclass
class _Length:
    """What is known of the runs of similar length: their number, seconds with few and all threads, and the choice."""

    runs: int = 0
    seconds: tuple[list[float], list[float]] = field(default_factory=lambda: ([], []))
    wide: bool | None = None


class ThreadsByLength:
    """Chooses between a session with few threads and one with all threads, which `open_wide` opens.

    Lengths whose numbers of subwords have the same number of binary digits are one class.
    """

    def __init__(self, open_wide: Callable[[], Session]) -> None:
        self.notes: tuple[str, ...] = ()
        self._open_wide = open_wide
        self._wide: Session | None = None
        self._lengths: dict[int, _Length] = {}
        self._lock = threading.Lock()
        self._running = self._started = 0

    @contextmanager
    def session(self, narrow: Session, subwords: int) -> Iterator[Session]:
        """The session for a run of so many padded subwords: `narrow`, with few threads, or that with all.

        The run within the block is timed.
        """
        with self._lock:
            length = self._lengths.setdefault(subwords.bit_length(), _Length())
            wide = self._opened(self._next(length))
            chosen = wide or narrow
            self._running, self._started = self._running + 1, self._started + 1
            number = self._started if self._running == 1 else 0
        start = time.perf_counter()
        try:
            yield chosen
        except BaseException:
            number = 0
            raise
        finally:
            seconds = time.perf_counter() - start
            with self._lock:
                self._running -= 1
                if number == self._started:  # runs that share the cores with others say nothing
                    self._record(length, chosen is not narrow, seconds)

    def close(self) -> None:
        """Close the session with all threads; the other is its owner's."""
        with self._lock:
            wide, self._wide = self._wide, None
            self._open_wide = _closed
        if wide:
            wide.close()

    def _next(self, length: _Length) -> bool:
        """Whether the next run takes all threads."""
        length.runs += 1
        if length.wide is None and length.runs > PATIENCE and not self.notes:
            return len(length.seconds[True]) < len(length.seconds[False])
        return bool(length.wide)

    def _opened(self, requested: bool) -> Session | None:
        """The session with all threads, where it is requested and there is the memory for it; else `notes` say so."""
        if requested and self._wide is None and not self.notes:
            try:
                self._wide = self._open_wide()
            except DeviceError as error:
                self.notes = (f"runs alone have few threads: {error.message}",)
        return self._wide if requested else None

    def _record(self, length: _Length, wide: bool, seconds: float) -> None:
        """Add a time, and choose where there are enough; a session that wins at no length is closed."""
        if length.wide is not None or length.runs <= PATIENCE:
            return
        length.seconds[wide].append(seconds)
        if min(map(len, length.seconds)) <= TRIALS:
            return
        few, all_threads = (median(times[1:]) for times in length.seconds)
        length.wide = all_threads < MARGIN * few
        open_question = any(each.wide is None and each.runs > PATIENCE for each in self._lengths.values())
        if not open_question and not any(each.wide for each in self._lengths.values()) and self._wide:
            self._wide.close()
            self._wide = None


def _closed() -> Session:
    raise DeviceError("the classifier was closed")

"""The progress of a bulk job on a terminal: rows, rate, and the time that is left."""

from __future__ import annotations

import time
from typing import TextIO

from .run import TagProgress

_EVERY = 0.5  # seconds between two lines


class ProgressLine:
    """One line on a terminal that is written again and again; sentences of a log stand above it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._shown = 0.0
        self._is_terminal = stream.isatty()

    def show(self, progress: TagProgress) -> None:
        """Show how far a job is, at most twice a second and only on a terminal."""
        if self._is_terminal and time.monotonic() - self._shown >= _EVERY:
            self._shown = time.monotonic()
            self._write(f"\r\x1b[K{describe(progress)}")

    def log(self, sentence: str) -> None:
        """Write a sentence on a line of its own."""
        self._write(f"{self._clear()}{sentence}\n")

    def end(self) -> None:
        """Remove the line."""
        self._write(self._clear())

    def _clear(self) -> str:
        return "\r\x1b[K" if self._is_terminal else ""

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


def describe(progress: TagProgress) -> str:
    """How far a job is in words."""
    share = progress.done / progress.total if progress.total else 1.0
    rate = progress.rows / max(progress.seconds, 1e-9)
    left = progress.seconds_left
    return f"{share:4.0%}  {progress.rows:,} rows  {rate:,.0f} rows/s  {duration(left)} left"


def duration(seconds: float | None) -> str:
    """Seconds as people read them: 1 h 02 min, 3 min 20 s, 12 s."""
    if seconds is None:
        return "?"
    whole = round(seconds)
    if whole >= 3600:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 60} min {whole % 60:02d} s" if whole >= 60 else f"{whole} s"

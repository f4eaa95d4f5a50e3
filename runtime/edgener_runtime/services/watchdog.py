"""A watchdog for the model's batches: it reports one that is overdue, and ends the process if it does not return.

A thread that runs a model cannot be stopped from outside, so a run without an end holds all later texts: only a new
process helps. The watchdog's steps are systemd's keep-alives too: where the event loop hangs, systemd ends the process.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from edgener_runtime.aio import AsyncTokenClassifier
from edgener_runtime.errors import StalledError
from edgener_runtime.inference.micro_batches import THREADS, RunningBatch

from .systemd import KEEP_ALIVE, notify

OVERDUE = 60.0  # seconds
_STALLED = 2  # times overdue
_FAREWELL = 15.0  # most seconds for what is done before the process ends
_STEP = 1.0  # seconds between two checks; less where overdue is less
_HINT = "If its texts only take long here, give a larger --overdue; else try another variant or device."


async def _nothing() -> None:
    """No farewell."""


@dataclass
class Watchdog:
    """Watches a classifier from its event loop; `overdue` says whether its batch is.

    A batch is overdue after `seconds` for each started `max_characters` of its texts, and stalled after twice as many:
    `farewell` may then publish what is to be known, and the process ends with the exit code of StalledError. Seconds in
    which the whole process was stopped do not count. `report` receives each line for the log, `changed` each change of
    `overdue`.
    """

    classifier: AsyncTokenClassifier
    report: Callable[[str], None]
    seconds: float = OVERDUE
    changed: Callable[[bool], None] = lambda overdue: None
    farewell: Callable[[], Awaitable[None]] = _nothing
    end: Callable[[int], object] = os._exit
    overdue: bool = False
    _watched: RunningBatch | None = None
    _ran: float = 0
    _last: float = field(default_factory=time.monotonic)

    async def run(self) -> None:
        """Watch until the process ends or this task is cancelled."""
        step = min(_STEP, self.seconds / 4)
        while True:
            notify(KEEP_ALIVE)
            self._count(step)
            if self._watched and self._ran > _STALLED * self._allowed(self._watched):
                await self._give_up(self._watched)
                return
            self._set_overdue()
            await asyncio.sleep(step)

    def _count(self, step: float) -> None:
        """Add the seconds since the last check to those of the running batch."""
        now = time.monotonic()
        if self._watched is not self.classifier.running:
            self._watched, self._ran = self.classifier.running, 0
        self._ran += min(now - self._last, 2 * step)
        self._last = now

    def _allowed(self, batch: RunningBatch) -> float:
        return self.seconds * max(1, -(-batch.characters // self.classifier.max_characters))

    def _set_overdue(self) -> None:
        overdue = self._watched is not None and self._ran > self._allowed(self._watched)
        if overdue == self.overdue:
            return
        self.overdue = overdue
        if self._watched and overdue:
            rest = (_STALLED - 1) * self._allowed(self._watched)
            self.report(f"overdue: {self._described(self._watched)}; in {rest:g} s this process gives it up")
        else:
            self.report("the overdue batch has returned")
        self.changed(overdue)

    async def _give_up(self, batch: RunningBatch) -> None:
        error = StalledError(f"the model hangs: {self._described(batch)}", _HINT)
        self.report(f"error: {error.message}\n  {error.hint}")
        try:
            await asyncio.wait_for(self.farewell(), _FAREWELL)
        except Exception as failed:  # noqa: BLE001 - whatever it is, the process must end
            self.report(f"nobody could be informed: {failed!r}")
        end_process(error.exit_code, self.end)

    def _described(self, batch: RunningBatch) -> str:
        texts = f"{batch.texts} text{'s' * (batch.texts != 1)}"
        return f"a batch of {texts} ({batch.characters} characters) has not returned for {self._ran:.0f} s"


def end_despite_runs() -> None:
    """End the process, where all is done, if a run of a model was given up: Python would wait for its thread."""
    if any(thread.name.startswith(THREADS) for thread in threading.enumerate()):
        end_process(0)


def end_process(code: int, end: Callable[[int], object] = os._exit) -> None:
    """End the process at once, as a thread that runs a model would keep it alive."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()
    end(code)

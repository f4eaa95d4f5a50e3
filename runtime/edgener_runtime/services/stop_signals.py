"""SIGTERM and SIGINT: the first asks a service to stop, within a limited time; the second ends it at once."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass

from .systemd import STOPPING, notify
from .watchdog import end_process


@dataclass
class StopSignals:
    """Sets `stop` at the first signal, and ends the process with exit code 0 where it has not ended `seconds` later.

    A second signal ends it with 128 and the signal's number, as shells report it. `awaited` says in a few words what is
    waited for; `report` receives each line for the log.
    """

    stop: asyncio.Event
    seconds: float
    awaited: Callable[[], str]
    report: Callable[[str], None]
    end: Callable[[int], object] = os._exit

    def install(self) -> None:
        """Handle the signals from now on; from the event loop."""
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self.receive, number)

    def receive(self, number: signal.Signals) -> None:
        """Stop, or end at once where a signal came before."""
        if self.stop.is_set():
            self.report(f"{number.name} again: ends at once, without {self.awaited()}")
            end_process(128 + number, self.end)
            return
        notify(STOPPING)
        self.report(
            f"{number.name}: stops after {self.awaited()}, within {self.seconds:g} s; a second signal ends it at once"
        )
        self.stop.set()
        asyncio.get_running_loop().call_later(self.seconds, self._expire)

    def _expire(self) -> None:
        self.report(f"stopped after {self.seconds:g} s, without {self.awaited()}")
        end_process(0, self.end)

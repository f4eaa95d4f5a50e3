"""What ends a build that would never end by itself, from a thread of the process that builds.

Where memory is short, TensorRT for RTX 1.7 at times waits for ever for a thread that never started
(tests/nvidia/test_ends.py). No step comes then at which it could be told to stop, so the whole process has to go.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable

from edgener_runtime.base.process import GRACE, Follow

CANCELLED = 75  # exit code: nobody wants the engine any more
PATIENCE = 120.0  # seconds in which nothing in the process works
_LEAST_WORK = 0.001  # of the CPU's time; below it, threads only wait


def watch(title: str, tell: Follow, is_wanted: Callable[[], bool], patience: float = PATIENCE) -> None:
    """From now on, end this process where it stands still for `patience` seconds, which is told as a failure.

    It ends too, with CANCELLED, where the engine has not been wanted for as long as its caller would wait.
    """
    arguments = title, tell, is_wanted, patience
    threading.Thread(target=_watch, args=arguments, name="edgener-standstill", daemon=True).start()


def _watch(title: str, tell: Follow, is_wanted: Callable[[], bool], patience: float) -> None:
    pause = min(1.0, patience / 10)
    idle, unwanted, before = 0, 0, _worked()  # looks, not seconds: those of a halted process do not count
    while True:
        time.sleep(pause)
        now = _worked()
        idle = idle + 1 if now - before < _LEAST_WORK * pause else 0
        unwanted = 0 if is_wanted() else unwanted + 1
        before = now
        if unwanted * pause > min(GRACE, patience):
            os._exit(CANCELLED)
        if idle * pause >= patience:
            try:
                tell(_failure(title, patience))
            finally:  # whoever is to be told may be gone
                os._exit(0)


def _worked() -> float:
    """Seconds of the CPU that the other threads of this process have used."""
    return time.process_time() - time.thread_time()


def _failure(title: str, patience: float) -> dict[str, str]:
    return {
        "event": "failed",
        "kind": "DeviceError",
        "message": f"{title} stood still: nothing in its process worked for {patience:g} s",
        "hint": "Free some memory, or lower --workspace, --batch or the largest shapes: "
        "where memory is short, it may wait for a thread that never started.",
    }

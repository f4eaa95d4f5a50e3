"""The watchdog, a thread of the building process: it ends a build that would never end by itself.

If memory is short, TensorRT for RTX 1.7 at times waits for ever for a thread that never started
(tests/nvidia/test_ends.py). It then reaches no step at which it could be cancelled, so the whole process must end.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable

from edgener_runtime.base.process import GRACE, Follow

CANCELLED = 75  # exit code: the caller is gone
PATIENCE = 120.0  # seconds without any work in the process
_LEAST_WORK = 0.001  # share of CPU time below which threads only wait


def watch(title: str, report: Follow, is_awaited: Callable[[], bool], patience: float = PATIENCE) -> None:
    """End this process with a reported failure once it makes no progress for `patience` seconds.

    Also end it, with CANCELLED, once the caller has been gone for as long as it would wait.
    """
    arguments = title, report, is_awaited, patience
    threading.Thread(target=_watch, args=arguments, name="edgener-watchdog", daemon=True).start()


def _watch(title: str, report: Follow, is_awaited: Callable[[], bool], patience: float) -> None:
    pause = min(1.0, patience / 10)
    idle, abandoned, before = 0, 0, _worked()  # counts of checks, not seconds: a halted process makes none
    while True:
        time.sleep(pause)
        now = _worked()
        idle = idle + 1 if now - before < _LEAST_WORK * pause else 0
        abandoned = 0 if is_awaited() else abandoned + 1
        before = now
        if abandoned * pause > min(GRACE, patience):
            os._exit(CANCELLED)
        if idle * pause >= patience:
            try:
                report(_failure(title, patience))
            finally:  # the caller may be gone
                os._exit(0)


def _worked() -> float:
    """CPU seconds of the other threads of this process."""
    return time.process_time() - time.thread_time()


def _failure(title: str, patience: float) -> dict[str, str]:
    return {
        "event": "failed",
        "kind": "DeviceError",
        "message": f"{title} made no progress: its process did no work for {patience:g} s",
        "hint": "Free some memory, or lower --workspace, --batch or the largest shapes: "
        "where memory is short, it may wait for a thread that never started.",
    }

"""TensorRT's own log and progress, turned into events; classes of its module, so they are made once it is loaded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from edgener_runtime.base.process import Follow

QUIET = ("INFO", "VERBOSE")


def make_logger(trt: Any, tell: Follow) -> Any:
    """A logger whose messages become events; there is to be one in a process."""

    class EventLogger(trt.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)

        def log(self, severity: Any, message: str) -> None:
            if severity.name not in QUIET:
                tell({"event": "log", "severity": severity.name, "message": message})

    return EventLogger()


def make_monitor(trt: Any, tell: Follow, goes_on: Callable[[], bool]) -> Any:
    """A progress monitor whose phases become events; once `goes_on` says no, the build ends at the next step."""

    class EventMonitor(trt.IProgressMonitor):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            tell({"event": "phase", "name": phase_name, "parent": parent_phase, "steps": num_steps})

        def step_complete(self, phase_name: str, step: int) -> bool:
            tell({"event": "step", "name": phase_name, "step": step})
            return goes_on()

        def phase_finish(self, phase_name: str) -> None:
            tell({"event": "finished", "name": phase_name})

    return EventMonitor()

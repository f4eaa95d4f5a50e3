"""TensorRT's log and progress as events; the classes derive from TensorRT's, so they are made once it is loaded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from edgener_runtime.base.process import Follow

OMITTED = ("INFO", "VERBOSE")


def make_logger(trt: Any, report: Follow) -> Any:
    """A logger that reports its messages as events; a process has one."""

    class EventLogger(trt.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)

        def log(self, severity: Any, message: str) -> None:
            if severity.name not in OMITTED:
                report({"event": "log", "severity": severity.name, "message": message})

    return EventLogger()


def make_monitor(trt: Any, report: Follow, goes_on: Callable[[], bool]) -> Any:
    """A progress monitor that reports phases as events; where `goes_on` is false, the build ends at the next step."""

    class EventMonitor(trt.IProgressMonitor):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            report({"event": "phase", "name": phase_name, "parent": parent_phase, "steps": num_steps})

        def step_complete(self, phase_name: str, step: int) -> bool:
            report({"event": "step", "name": phase_name, "step": step})
            return goes_on()

        def phase_finish(self, phase_name: str) -> None:
            report({"event": "finished", "name": phase_name})

    return EventMonitor()

"""What the runtime promises for a MiniLM in INT8 (a bundle of 23 MB), and whether a measurement kept it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Promise:
    """A measure's bound, which it may reach but not pass; `unit` and `divisor` are for people."""

    name: str
    most: float
    unit: str = ""
    divisor: float = 1


PROMISES = {
    "cold_start_s": Promise("process start to first entity", 0.35, "s"),
    "rss_bytes": Promise("memory after the first entity", 130e6, "MB", 1e6),
    "import_s": Promise("import edgener_runtime", 0.150, "ms", 1e-3),
    "soak_growth": Promise("memory more after the soak than after 1,000 texts", 0.10, "%", 1e-2),
    "threads_left": Promise("threads more after the soak's close than before its load", 0),
    "files_left": Promise("open files more after the soak's close than before its load", 0),
    "reload_growth": Promise("memory more in the last load than in the first", 0.30, "%", 1e-2),
    "reload_threads_left": Promise("threads more after the last load's close than after the first's", 0),
    "reload_files_left": Promise("open files more after the last load's close than after the first's", 0),
}


def verdicts(found: dict[str, float]) -> dict[str, dict[str, Any]]:
    """Each promise with what was found, and whether it was kept. A measure that is missing is a KeyError."""
    return {
        key: {"name": promise.name, "found": found[key], "most": promise.most, "kept": found[key] <= promise.most}
        for key, promise in PROMISES.items()
    }


def told(key: str, value: float) -> str:
    """A value in the promise's unit."""
    promise = PROMISES[key]
    return f"{value / promise.divisor:,.3g} {promise.unit}".rstrip()

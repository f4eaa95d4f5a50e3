"""Numbers that took long to measure, kept in a file beside their digest: a damaged file is measured anew."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from edgener_runtime.base.files import write_atomic

Numbers = Mapping[str, Sequence[float]]


def write_measurements(file: Path, numbers: Numbers) -> None:
    """Keep numbers by name, whole or not at all."""
    write_atomic(file, json.dumps({"sha256": _digest(numbers), "numbers": dict(numbers)}))


def read_measurements(file: Path) -> dict[str, list[float]] | None:
    """What was kept earlier, or None where there is nothing or not what was written."""
    try:
        kept = json.loads(file.read_text())
        numbers: dict[str, list[float]] = kept["numbers"]
        return numbers if kept["sha256"] == _digest(numbers) else None
    except (OSError, ValueError, TypeError, KeyError):
        return None


class MeasurementCache:
    """Numbers by name, written down one by one as they are measured, so that work that was broken off can go on."""

    def __init__(self, cache: Path | None, key: Sequence[str]) -> None:
        name = hashlib.sha256(json.dumps(list(key)).encode()).hexdigest()
        self._file = cache / "search" / f"{name}.json" if cache else None
        self._numbers = (read_measurements(self._file) if self._file else None) or {}

    def __call__(self, name: str, measure: Callable[[], float]) -> float:
        """What was kept under a name, or what `measure()` gives."""
        if name not in self._numbers:
            self._numbers[name] = [measure()]
            if self._file:
                write_measurements(self._file, self._numbers)
        return self._numbers[name][0]


def _digest(numbers: Numbers) -> str:
    return hashlib.sha256(json.dumps(numbers, sort_keys=True).encode()).hexdigest()

"""A cache of measurements: each file has the digest of its numbers, and a damaged file is measured again."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from edgener_runtime.base.files import write_atomic

Numbers = Mapping[str, Sequence[float]]


def cache_folder() -> Path:
    """`edgener` in the user's cache folder: $XDG_CACHE_HOME, else ~/.cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "edgener"


def write_measurements(file: Path, numbers: Numbers) -> None:
    """Write numbers by name, whole or not at all."""
    write_atomic(file, json.dumps({"sha256": _digest(numbers), "numbers": dict(numbers)}))


def read_measurements(file: Path) -> dict[str, list[float]] | None:
    """The numbers of a file, or None where it is missing or damaged."""
    try:
        record = json.loads(file.read_text())
        numbers: dict[str, list[float]] = record["numbers"]
        return numbers if record["sha256"] == _digest(numbers) else None
    except (OSError, ValueError, TypeError, KeyError):
        return None


class MeasurementCache:
    """Numbers by name, each written as soon as it is measured, so that interrupted work resumes."""

    def __init__(self, cache: Path | None, key: Sequence[str]) -> None:
        name = hashlib.sha256(json.dumps(list(key)).encode()).hexdigest()
        self._file = cache / "search" / f"{name}.json" if cache else None
        self._numbers = (read_measurements(self._file) if self._file else None) or {}

    def __call__(self, name: str, measure: Callable[[], float]) -> float:
        """The cached number of a name, else that of `measure()`."""
        if name not in self._numbers:
            self._numbers[name] = [measure()]
            if self._file:
                write_measurements(self._file, self._numbers)
        return self._numbers[name][0]


def _digest(numbers: Numbers) -> str:
    return hashlib.sha256(json.dumps(numbers, sort_keys=True).encode()).hexdigest()

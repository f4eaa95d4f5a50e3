"""Log lines of a service: of lines that repeat, a few and then their count, so that no client can fill a disk."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

_MOST = 5  # lines from one place of the code, in a row
_SECONDS = 10.0


@dataclass
class _Repeated:
    """Lines from one place of the code since `began`: how many came, and the last one that was not written."""

    began: float
    lines: int = 0
    omitted: logging.LogRecord | None = None


class LimitedHandler(logging.StreamHandler):  # type: ignore[type-arg]  # not generic before Python 3.11
    """Writes at most five lines from one place of the code within ten seconds, and then the count of the others.

    Lines about several models, which have the attribute `model`, are counted for each.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._places: dict[tuple[str, int, str | None], _Repeated] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line, or count it."""
        self.report_omitted()
        place = (record.pathname, record.lineno, getattr(record, "model", None))
        repeated = self._places.setdefault(place, _Repeated(self._clock()))
        repeated.lines += 1
        if repeated.lines > _MOST:
            repeated.omitted = record
        else:
            super().emit(record)

    def report_omitted(self, now: bool = False) -> None:
        """Write the counts of lines whose ten seconds are over, or of all of them."""
        for place, repeated in list(self._places.items()):
            if now or self._clock() - repeated.began >= _SECONDS:
                del self._places[place]
                if repeated.omitted:
                    super().emit(_counted(repeated.omitted, repeated.lines - _MOST))


def _counted(record: logging.LogRecord, count: int) -> logging.LogRecord:
    line = f"{count:,} more lines like this one in {_SECONDS:g} s: {record.getMessage().splitlines()[0]}"
    return logging.LogRecord(record.name, record.levelno, record.pathname, record.lineno, line, None, None)

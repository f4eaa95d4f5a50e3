"""The built-in driver: the rules of MLPerf's load generator in plain Python, with its clock."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import count
from typing import TYPE_CHECKING

from .batcher import Batcher, Ticket
from .load import Driven, Load, System
from .schedule import arrivals, checked, everything, most_waiting, queries, sized

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_clock = time.perf_counter


def drive(system: System, load: Load) -> Driven:
    """Send a load to a system. Raises what the system raises, OverrunError, and UserInputError for an invalid load."""
    return _SCENARIOS[checked(load).scenario](system, load)


def _one_after_the_other(system: System, load: Load) -> Driven:
    """Send each query when the one before is answered, until one was sent after the end of the time."""
    upcoming = queries(load)
    taken: list[float] = []
    start = _clock()
    for number in count(1):
        query = next(upcoming)
        sent = _clock()
        system.answer(query)
        ended = _clock()
        taken.append(ended - sent)
        if number >= load.least and sent - start >= load.seconds:
            break
    return Driven(_milliseconds(taken), ended - start, len(taken) * len(query))


def _all_at_once(system: System, load: Load) -> Driven:
    texts = everything(sized(system, load))
    start = _clock()
    system.answer(texts)
    seconds = _clock() - start
    return Driven(_milliseconds([seconds]), seconds, len(texts))


def _as_they_come(system: System, load: Load) -> Driven:
    """Send each query when it is due, however many wait; its latency counts from then."""
    plan = list(zip(arrivals(load), queries(load), strict=False))
    ends: list[tuple[float, int]] = []

    def report(batch: Sequence[Ticket]) -> None:
        now = _clock()
        ends.extend((now, ticket.sender) for ticket in batch)

    batcher = Batcher(system, load.together, most_waiting(load), report)
    try:
        start = _clock()
        for sender, (due, query) in enumerate(plan):
            _sleep_until(start + due)
            batcher.put(Ticket(query[0], sender))
            if batcher.failure:
                break
    except BaseException as error:
        batcher.fail(error)
        raise
    finally:
        batcher.close()
    if batcher.failure:
        raise batcher.failure
    taken = [end - start - plan[sender][0] for end, sender in ends]
    return Driven(_milliseconds(taken), ends[-1][0] - start, len(ends))


_SCENARIOS: dict[str, Callable[[System, Load], Driven]] = {
    "single-stream": _one_after_the_other,
    "multi-stream": _one_after_the_other,
    "offline": _all_at_once,
    "server": _as_they_come,
}


def _sleep_until(moment: float) -> None:
    if (left := moment - _clock()) > 0:
        time.sleep(left)


def _milliseconds(seconds: list[float]) -> NDArray[np.float64]:
    import numpy as np

    return 1000 * np.array(seconds, dtype=np.float64)

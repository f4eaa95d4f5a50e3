"""The rules of every driver, as checks of its report against the queries that the system saw."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from edgener_runtime.commissioning.bench.drivers.load import Driven, Load, LoadDriver

TEXTS = 12
SLACK_MS = 1.0  # at the median, between two clocks and threads on a busy machine
LOADS = {
    "single-stream": Load("single-stream", TEXTS, 0.4, least=32, expected=250),
    "multi-stream": Load("multi-stream", TEXTS, 0.4, samples_per_query=3, least=32, expected=250),
    "offline": Load("offline", TEXTS, 0.4, expected=100),
    "server": Load("server", TEXTS, 0.8, rate=150, together=1, expected=250),
}


@dataclass
class Slept:
    """A system that takes from 2 to 6 ms per text, and records the time and the texts of each query."""

    asked: list[tuple[float, float, tuple[int, ...]]] = field(default_factory=list)

    def answer(self, texts: Sequence[int]) -> None:
        started = time.perf_counter()
        time.sleep(sum(0.002 + 0.004 * text / TEXTS for text in texts))
        self.asked.append((started, time.perf_counter(), tuple(texts)))

    @property
    def seconds(self) -> float:
        """From the first question to the last answer."""
        return self.asked[-1][1] - self.asked[0][0]

    def took(self) -> np.ndarray:
        """Milliseconds of each question."""
        return 1000 * np.array([ended - started for started, ended, _ in self.asked])


def broken(drive: LoadDriver, scenario: str) -> list[str]:
    """The rules of a scenario that a driver breaks."""
    system = Slept()
    driven = drive(system, LOADS[scenario])
    return [*_counts(system, driven), *_RULES[scenario](system, driven, LOADS[scenario])]


def _counts(system: Slept, driven: Driven) -> Iterator[str]:
    if driven.texts != sum(len(texts) for _, _, texts in system.asked):
        yield "texts are as many as were answered"
    if not 0 <= driven.seconds - system.seconds < 0.05:
        yield "seconds are from the first question to the last answer"


def _one_by_one(system: Slept, driven: Driven, load: Load) -> Iterator[str]:
    yield from _in_turns(system, driven, load)
    drawn = Counter(text for _, _, texts in system.asked for text in texts)
    if len(drawn) < TEXTS or max(drawn.values()) > 4 * load.samples_per_query * len(system.asked) / TEXTS:
        yield "every text is drawn as often as another"


def _in_turns(system: Slept, driven: Driven, load: Load) -> Iterator[str]:
    if len(driven.milliseconds) != len(system.asked):
        yield "there is a latency for each query"
        return
    if _far(driven.milliseconds, system.took()):
        yield "the latency is from the question to its answer"
    idle = [after[0] - before[1] for before, after in zip(system.asked, system.asked[1:], strict=False)]
    if 1000 * float(np.median(idle)) > SLACK_MS:
        yield "the next query is sent when the one before is answered"
    if {len(texts) for _, _, texts in system.asked} != {load.samples_per_query}:
        yield "each query has its texts"
    if len(system.asked) < load.least or system.asked[-1][0] - system.asked[0][0] < load.seconds - 0.01:
        yield "queries are sent until the time is out"


def _all_at_once(system: Slept, driven: Driven, load: Load) -> Iterator[str]:
    drawn = Counter(system.asked[0][2])
    if len(system.asked) != 1 or len(driven.milliseconds) != 1:
        yield "there is one query"
    if len(drawn) < TEXTS or len(set(drawn.values())) > 1:
        yield "every text is sent as often as another"
    if _far(driven.milliseconds, system.took()[:1]):
        yield "the latency is from the question to its answer"


def _as_they_come(system: Slept, driven: Driven, load: Load) -> Iterator[str]:
    """When queries were due follows from when they were answered and their latencies: a Poisson process, whatever the
    system did, and each is taken up when it is due or the one before is answered."""
    if len(driven.milliseconds) != len(system.asked):
        yield "there is a latency for each query"
        return
    started, ended = (np.array([times[end] for times in system.asked]) for end in (0, 1))
    due = ended - driven.milliseconds / 1000
    if not _exponential(np.diff(np.sort(due)), load.rate or 0):
        yield "queries are due at random times of the rate"
    could = np.maximum(due[1:], ended[:-1])
    if 1000 * float(np.median(started[1:] - could)) > SLACK_MS:
        yield "a query is taken up when it is due and the one before is answered"


_RULES: dict[str, Callable[[Slept, Driven, Load], Iterator[str]]] = {
    "single-stream": _one_by_one,
    "multi-stream": _one_by_one,
    "offline": _all_at_once,
    "server": _as_they_come,
}


def _far(found: np.ndarray, expected: np.ndarray) -> bool:
    """Whether milliseconds are other ones, in their order; less than what the system saw they cannot be."""
    return bool(np.any(found < expected - 0.01) or np.median(found - expected) > SLACK_MS)


def _exponential(gaps: np.ndarray, rate: float) -> bool:
    """Kolmogorov's test against the exponential distribution; one of 10,000 right samples fails it."""
    gaps = np.sort(gaps)
    share = 1 - np.exp(-rate * gaps)
    steps = np.arange(len(gaps) + 1) / len(gaps)
    distance = max(np.max(steps[1:] - share), np.max(share - steps[:-1]))
    return bool(distance * np.sqrt(len(gaps)) < 2.23)

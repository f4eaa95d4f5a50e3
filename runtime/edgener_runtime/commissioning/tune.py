"""The search for a model's best tuning on this machine: successive halving, all tunings in turns."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from itertools import cycle
from statistics import median
from typing import TYPE_CHECKING

from edgener_runtime.backends.base import Tuning
from edgener_runtime.errors import UserInputError
from edgener_runtime.inference.tuning import TuningTrial
from edgener_runtime.text.tokenize import TextTokenizer

if TYPE_CHECKING:
    from edgener_runtime.pipeline import TokenClassifier

Open = Callable[[Tuning], AbstractContextManager["TokenClassifier"]]

BATCHES = (256, 512, 1024, 2048)
TOGETHER = 64  # texts of one measurement of throughput
_SYNTHETIC_WORDS = (4, 40)

# The cost of each goal; less is better. CPU time stands for energy: few devices can measure their power.
COSTS: dict[str, Callable[[TuningTrial], float]] = {
    "latency": lambda trial: trial.latency_ms,
    "throughput": lambda trial: 1 / trial.texts_per_second,
    "power": lambda trial: trial.cpu_ms,
}


def candidates(goal: str, cores: int) -> list[Tuning]:
    """The tunings to try on a number of cores; for latency, texts arrive one by one and batches do not matter."""
    counts = [*(2**power for power in range(cores.bit_length()) if 2**power < cores), cores]
    if goal == "latency":
        return [replace(way, batch_subwords=BATCHES[0]) for way in _one_by_one(counts)]
    ways = [*_one_by_one(counts), *_several_at_once(counts, cores, spinning=goal != "power")]
    return [replace(way, batch_subwords=batch) for way in ways for batch in BATCHES]


def _one_by_one(counts: Sequence[int]) -> Iterator[Tuning]:
    """One batch after the other; a single thread never waits, and so never spins."""
    for threads in counts:
        yield Tuning(threads, 1, spinning=False)
        if threads > 1:
            yield Tuning(threads, 1, spinning=True)


def _several_at_once(counts: Sequence[int], cores: int, spinning: bool) -> Iterator[Tuning]:
    """All cores shared among batches; a batch that runs alone still gets them all."""
    for each in counts:
        if cores // each > 1:
            yield Tuning(cores, cores // each, spinning=spinning, threads_each=each)


def tune(
    open_with: Open, tunings: Sequence[Tuning], goal: str, texts: Sequence[str], seconds: float,
    step: Callable[[TuningTrial], None] = lambda trial: None,
) -> tuple[Tuning, tuple[TuningTrial, ...]]:  # fmt: skip
    """The best of `tunings` for a goal and the last trial of each, in about `seconds`; `step` gets every trial.

    Each trial opens its own classifier, so that threads of an idle one do not disturb it.
    """
    if not texts:
        raise UserInputError("there are no texts to tune on")
    share = seconds / trial_count(len(tunings))
    latest: dict[Tuning, TuningTrial] = {}
    alive = list(tunings)
    while True:
        for tuning in alive:
            with open_with(tuning) as classifier:
                latest[tuning] = _measure(classifier, tuning, goal, texts, share)
            step(latest[tuning])
        alive.sort(key=lambda tuning: COSTS[goal](latest[tuning]))
        if len(alive) <= 2:
            return alive[0], tuple(sorted(latest.values(), key=COSTS[goal]))
        alive = alive[: (len(alive) + 1) // 2]


def trial_count(tunings: int) -> int:
    """The number of trials in the halving of a number of tunings."""
    return tunings if tunings <= 2 else tunings + trial_count((tunings + 1) // 2)


def synthetic_texts(tokenizer: TextTokenizer, count: int = TOGETHER) -> list[str]:
    """Texts of random words of the vocabulary, always the same, for use without real texts."""
    words = [word for word in tokenizer.vocabulary() if word.isalpha()] or ["a"]
    chance = random.Random(1)
    return [" ".join(chance.choices(words, k=chance.randint(*_SYNTHETIC_WORDS))) for _ in range(count)]


def _measure(
    classifier: TokenClassifier, tuning: Tuning, goal: str, texts: Sequence[str], seconds: float
) -> TuningTrial:
    """Measure texts one by one and in a batch; what the goal does not need gets a tenth of the time."""
    alone = seconds * (0.9 if goal == "latency" else 0.1)
    together = texts[:TOGETHER]
    classifier.predict_batch(together)  # warms up
    singles = [_seconds(classifier.predict, text) for text in _until(alone, texts)]
    used = time.process_time()
    rounds = [_seconds(classifier.predict_batch, together) for _ in _until(seconds - alone, texts)]
    busy = (time.process_time() - used) / (len(rounds) * len(together))
    return TuningTrial(tuning, 1000 * median(singles), len(together) / median(rounds), 1000 * busy)


def _until(seconds: float, texts: Sequence[str]) -> Iterator[str]:
    """Texts again and again, at least one, until the time is up."""
    deadline = time.perf_counter() + seconds
    for text in cycle(texts):
        yield text
        if time.perf_counter() > deadline:
            return


def _seconds(run: Callable[..., object], *arguments: object) -> float:
    start = time.perf_counter()
    run(*arguments)
    return time.perf_counter() - start

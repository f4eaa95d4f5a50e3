"""The speed of variants on this machine from text to entities, measured in turns."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import TypeVar

from edgener_runtime.bundle.manifest import Speed, Spread
from edgener_runtime.machine.cpu import isa, usable_cores
from edgener_runtime.pipeline import TokenClassifier

Key = TypeVar("Key")
ROUNDS = 6  # the first is a warm-up
TOGETHER, ALONE = 128, 32  # texts per round


def measure_speed(
    classifiers: Mapping[Key, TokenClassifier], texts: Sequence[str], step: Callable[[], None] = lambda: None
) -> dict[Key, Speed]:
    """Run all in turns, round by round, so that other load affects them alike; `step()` is called after each round."""
    together, alone = _spread_out(texts, TOGETHER), _spread_out(texts, ALONE)
    rounds: dict[Key, list[tuple[float, float]]] = {name: [] for name in classifiers}
    for _ in range(ROUNDS):
        for name, classifier in classifiers.items():
            each = [_seconds(classifier.predict, text) for text in alone]
            rounds[name].append((1000 * median(each), _seconds(classifier.predict_batch, together)))
        step()
    return {name: _speed(rounds[name][1:], _subwords(classifier, together)) for name, classifier in classifiers.items()}


def _speed(rounds: Sequence[tuple[float, float]], subwords: int) -> Speed:
    latency = _spread([milliseconds for milliseconds, _ in rounds])
    return Speed(latency, _spread([subwords / seconds for _, seconds in rounds]), isa(), usable_cores())


def _subwords(classifier: TokenClassifier, texts: Sequence[str]) -> int:
    return sum(len(scored.input_ids) for scored in classifier.logits(texts))


def _seconds(run: Callable[..., object], *arguments: object) -> float:
    start = time.perf_counter()
    run(*arguments)
    return time.perf_counter() - start


def _spread_out(texts: Sequence[str], count: int) -> list[str]:
    """`count` of the texts, evenly spread over their lengths."""
    ordered = sorted(texts, key=len)
    chosen = min(count, len(ordered))
    return [ordered[(2 * i + 1) * len(ordered) // (2 * chosen)] for i in range(chosen)]


def _spread(values: Sequence[float]) -> Spread:
    return Spread(median(values), min(values), max(values))

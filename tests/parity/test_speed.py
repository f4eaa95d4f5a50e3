"""Speeds: taken in turns, the first round for warming up only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from edgener.parity import speed
from edgener.parity.speed import ALONE, ROUNDS, TOGETHER, measure_speed
from edgener_runtime.pipeline import TokenLogits

TEXTS = [f"{'x' * length} leaks" for length in range(200)]


class Clock:
    """Time that passes only where something runs."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Fake:
    """A classifier that takes a number of seconds per text, and records when it ran; the first calls are slow."""

    def __init__(self, name: str, seconds: float, clock: Clock, diary: list[str]) -> None:
        self.name, self.seconds, self.clock, self.diary = name, seconds, clock, diary
        self.cold = ALONE + TOGETHER

    def predict(self, text: str) -> None:
        self._take([text])

    def predict_batch(self, texts: Sequence[str]) -> None:
        self.diary.append(self.name)
        self._take(texts)

    def _take(self, texts: Sequence[str]) -> None:
        for _ in texts:
            self.clock.now += self.seconds * (100 if self.cold > 0 else 1)
            self.cold -= 1

    def logits(self, texts: Iterable[str]) -> Iterator[TokenLogits]:
        for _ in texts:
            yield TokenLogits(np.zeros(5, dtype=np.int64), np.zeros((5, 2)), np.zeros((5, 1)))  # type: ignore[arg-type]


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> tuple[Any, list[str]]:
    clock, diary = Clock(), list[str]()
    monkeypatch.setattr(speed.time, "perf_counter", clock)
    fakes: Any = {name: Fake(name, seconds, clock, diary) for name, seconds in (("fast", 0.001), ("slow", 0.004))}
    steps: list[int] = []
    found = measure_speed(fakes, TEXTS, lambda: steps.append(1))
    assert len(steps) == ROUNDS
    return found, diary


def test_latency_and_throughput_are_those_of_warm_rounds(measured: tuple[Any, list[str]]) -> None:
    found, _ = measured
    assert found["fast"].latency_ms.median == pytest.approx(1.0)
    assert found["slow"].latency_ms.median == found["slow"].latency_ms.high == pytest.approx(4.0)
    assert found["fast"].throughput.median == pytest.approx(5 / 0.001)


def test_all_run_in_turns(measured: tuple[Any, list[str]]) -> None:
    assert measured[1] == ["fast", "slow"] * ROUNDS


def test_the_spread_is_that_of_the_rounds() -> None:
    found = speed._spread([3.0, 1.0, 2.0])
    assert (found.median, found.low, found.high) == (2.0, 1.0, 3.0)


def test_texts_are_spread_over_the_lengths() -> None:
    lengths = [len(text) for text in speed._spread_out(TEXTS, 10)]
    assert len(lengths) == 10 and max(lengths) > 190 and min(lengths) < 20
    assert speed._spread_out(TEXTS[:3], 10) == TEXTS[:3]

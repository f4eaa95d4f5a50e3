"""A run alone has the number of threads that is faster at its length, and a session that wins nowhere is closed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest

from edgener_runtime import TokenClassifier
from edgener_runtime.backends.base import ANY, Model, Tuning
from edgener_runtime.bundle.manifest import Manifest
from edgener_runtime.errors import DeviceError, EdgenerError
from edgener_runtime.inference.engine import Engine
from edgener_runtime.inference.threads_by_length import PATIENCE, TRIALS, ThreadsByLength

pytestmark = pytest.mark.compat

DECIDED = PATIENCE + 2 * (TRIALS + 1)  # runs of a length until its threads are chosen
SHORT, LONG = 8, 500


class Timed:
    """In place of a session: its runs take the seconds that `cost` says for their subwords, by a clock of its own."""

    provider = library = "a stub"
    shapes = ANY
    notes = ()

    def __init__(self, clock: Clock, cost: Callable[[int], float]) -> None:
        self.clock, self.cost = clock, cost
        self.ran: list[int] = []
        self.closed = 0

    def run(self, feeds: dict[str, Any]) -> Any:
        self.ran.append(feeds["input_ids"].size)
        self.clock.now += self.cost(self.ran[-1])
        return np.zeros((*feeds["input_ids"].shape, 15), dtype=np.float32)

    def close(self) -> None:
        self.closed += 1


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("edgener_runtime.inference.threads_by_length.time.perf_counter", clock)
    return clock


def costs(threads: int) -> Callable[[int], float]:
    """Four threads need a millisecond for sharing the work, and a third of the time for the rest."""
    return (lambda subwords: 0.02e-3 * subwords) if threads == 1 else (lambda subwords: 1e-3 + 0.007e-3 * subwords)


class Opened:
    """What an engine opened, in order, with its threads."""

    def __init__(self, clock: Clock, cost: Callable[[int], Callable[[int], float]]) -> None:
        self.clock, self.cost = clock, cost
        self.sessions: list[tuple[int, Timed]] = []

    def __call__(self, model: Model, device: str, tuning: Tuning) -> Timed:
        self.sessions.append((tuning.threads, Timed(self.clock, self.cost(tuning.threads))))
        return self.sessions[-1][1]

    @property
    def threads(self) -> list[int]:
        return [threads for threads, _ in self.sessions]


@pytest.fixture
def engine_with(
    bundle: Path, manifest: Manifest, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[Engine, Opened]]:
    def make(tuning: Tuning = Tuning(4, 4, by_length=True), cost: Any = costs) -> tuple[Engine, Opened]:  # noqa: B008
        opened = Opened(clock, cost)
        monkeypatch.setattr("edgener_runtime.inference.engine.open_session", opened)
        settings = manifest.tokenizer
        model = Model(bundle, manifest.variant("fp32"), settings.inputs, settings.max_length)
        return Engine(model, 15, "cpu", tuning), opened

    return make


def run(engine: Engine, subwords: int, times: int = 1) -> None:
    for _ in range(times):
        engine.run({"input_ids": np.ones((1, subwords), dtype=np.int64)})


def test_short_runs_have_few_threads_and_long_ones_all(engine_with: Any) -> None:
    engine, opened = engine_with()
    run(engine, SHORT, DECIDED)
    run(engine, LONG, DECIDED)
    few, everyone = opened.sessions[0][1], opened.sessions[-1][1]
    few.ran.clear(), everyone.ran.clear()
    run(engine, SHORT, 10), run(engine, LONG, 10)
    assert few.ran == [SHORT] * 10 and everyone.ran == [LONG] * 10
    engine.close()
    assert [session.closed for _, session in opened.sessions] == [1] * len(opened.sessions)


def test_few_runs_open_no_second_session(engine_with: Any) -> None:
    engine, opened = engine_with()
    run(engine, SHORT, PATIENCE), run(engine, LONG, PATIENCE)
    assert opened.threads == [1]


def test_batches_have_no_session_but_that_with_few_threads(engine_with: Any) -> None:
    engine, opened = engine_with()
    ids = {"input_ids": np.ones((1, SHORT), dtype=np.int64)}
    for _ in range(DECIDED):
        assert [answer().shape for answer in engine.start([ids, ids])] == [(1, SHORT, 15)] * 2
    assert opened.threads == [1] and opened.sessions[0][1].closed == 0


def test_all_threads_that_win_nowhere_are_closed_and_their_memory_is_free(engine_with: Any) -> None:
    engine, opened = engine_with()
    run(engine, SHORT, DECIDED)
    assert opened.threads == [1, 4] and [session.closed for _, session in opened.sessions] == [0, 1]
    run(engine, SHORT, 10)
    assert opened.threads == [1, 4]


def test_a_gain_too_small_for_all_cores_is_none(engine_with: Any) -> None:
    engine, opened = engine_with(cost=lambda threads: lambda subwords: 1.0 if threads == 1 else 0.97)
    run(engine, LONG, DECIDED + 3)
    assert opened.sessions[1][1].closed == 1


def test_one_slow_run_decides_nothing(engine_with: Any) -> None:
    engine, opened = engine_with()
    run(engine, LONG, PATIENCE + 4)
    opened.sessions[1][1].cost = lambda subwords: 10.0  # a neighbour takes the cores for a moment
    run(engine, LONG, 1)
    opened.sessions[1][1].cost = costs(4)
    run(engine, LONG, DECIDED)
    assert opened.sessions[1][1].closed == 0 and opened.sessions[1][1].ran[-5:] == [LONG] * 5


@pytest.mark.parametrize("tuning", [Tuning(4, 4), Tuning(1, 1, by_length=True), Tuning(2, 1, threads_each=2)])
def test_threads_as_asked_for_or_tuned_are_those_of_every_length(tuning: Tuning, engine_with: Any) -> None:
    engine, opened = engine_with(tuning)
    run(engine, SHORT, DECIDED), run(engine, LONG, DECIDED)
    assert opened.threads == [tuning.threads]


def test_where_memory_is_short_of_a_second_session_few_threads_run_all_and_that_is_reported(
    engine_with: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, opened = engine_with()

    def short() -> Any:
        raise DeviceError("there is not enough memory")

    monkeypatch.setattr(engine._by_length, "_open_wide", short)
    run(engine, LONG, DECIDED)
    assert opened.sessions[0][1].ran == [LONG] * DECIDED
    assert engine.notes == ("runs alone have few threads: there is not enough memory",)


def test_a_run_that_fails_is_not_timed(engine_with: Any) -> None:
    engine, opened = engine_with()
    run(engine, LONG, PATIENCE)
    whole = opened.sessions[0][1].run
    opened.sessions[0][1].run = lambda feeds: (_ for _ in ()).throw(DeviceError("broke off"))
    with pytest.raises(DeviceError, match="broke off"):
        run(engine, LONG)
    opened.sessions[0][1].run = whole
    run(engine, LONG, 2 * (TRIALS + 1))
    assert opened.sessions[1][1].closed == 0 and opened.sessions[1][1].ran[-1] == LONG


def test_runs_beside_others_are_not_timed() -> None:
    by_length = ThreadsByLength(lambda: pytest.fail("opened"))
    narrow: Any = object()
    with by_length.session(narrow, LONG):
        for _ in range(PATIENCE + 3):
            with by_length.session(narrow, LONG) as chosen:
                assert chosen is narrow
    assert not any(times for length in by_length._lengths.values() for times in length.seconds)


def test_many_threads_at_once_get_every_answer(bundle: Path) -> None:
    text = "Pump P-101 leaks at the seal"
    with TokenClassifier.load(bundle, "cpu", "fp32") as classifier:
        expected, found = classifier.predict(text), []
        threads = [
            Thread(target=lambda: found.extend(classifier.predict(text) for _ in range(2 * DECIDED))) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == [expected] * (8 * DECIDED)


def test_a_closed_engine_opens_nothing_again(engine_with: Any) -> None:
    engine, opened = engine_with()
    run(engine, LONG, PATIENCE)
    engine.close()
    with pytest.raises(EdgenerError, match="was closed"):
        run(engine, LONG)
    assert opened.threads == [1]


@pytest.mark.parametrize("variant", ["fp32", "int8-dynamic"])
def test_the_number_of_threads_does_not_change_the_logits(variant: str, bundle: Path) -> None:
    texts = ["oil leak", "Pump P-101 leaks at the seal. " * 9]
    with (
        TokenClassifier.load(bundle, "cpu", variant, 1) as one,
        TokenClassifier.load(bundle, "cpu", variant, 2) as two,
    ):
        for text in texts:
            found = [next(classifier.logits([text])).logits for classifier in (one, two)]
            np.testing.assert_array_equal(*found)

"""An engine gives a session the batches that it takes, and closes it once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgener_runtime import TokenClassifier
from edgener_runtime.backends.base import ANY, BatchShapes, Model, Tuning
from edgener_runtime.bundle.manifest import Manifest
from edgener_runtime.errors import DeviceError, EdgenerError
from edgener_runtime.inference.engine import Engine

pytestmark = pytest.mark.compat


class Narrow:
    """In place of a session: takes so many rows of a length at once, and scores each subword with its own number."""

    provider = library = "a stub"
    notes = ()

    def __init__(self, shapes: BatchShapes) -> None:
        self.shapes = shapes
        self.ran: list[tuple[int, ...]] = []
        self.closed = 0

    def run(self, feeds: dict[str, Any]) -> Any:
        self.ran.append(feeds["input_ids"].shape)
        return np.repeat(feeds["input_ids"][..., None], 15, axis=2).astype(np.float32)

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def opened(
    bundle: Path, manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> Callable[[BatchShapes], tuple[Engine, Narrow]]:
    def make(shapes: BatchShapes) -> tuple[Engine, Narrow]:
        session = Narrow(shapes)
        monkeypatch.setattr("edgener_runtime.inference.engine.open_session", lambda *how: session)
        settings = manifest.tokenizer
        model = Model(bundle, manifest.variant("fp32"), settings.inputs, settings.max_length)
        return Engine(model, 15, "cpu", Tuning(1)), session

    return make


@pytest.mark.parametrize(
    ("shapes", "expected"),
    [
        (ANY, [(5, 3)]),
        (BatchShapes(batches=((2, 1, 64),)), [(2, 3), (2, 3), (1, 3)]),
        (BatchShapes(batches=((1, 1, 64), (4, 1, 2))), [(1, 3)] * 5),  # four rows only of shorter ones
        (BatchShapes(batches=((8, 1, 64),)), [(5, 3)]),
        (BatchShapes(batches=((8, 4, 64),)), [(5, 3)]),  # none takes it: the session is to say so
    ],
)
def test_a_batch_runs_in_the_parts_that_the_session_takes(
    shapes: BatchShapes, expected: list[tuple[int, int]], opened: Any
) -> None:
    engine, session = opened(shapes)
    ids = np.arange(15, dtype=np.int64).reshape(5, 3)
    logits = engine.run({"input_ids": ids, "attention_mask": np.ones_like(ids)})
    assert session.ran == expected
    np.testing.assert_array_equal(logits[..., 0], ids)


def test_texts_are_padded_to_the_lengths_of_the_session(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session = Narrow(BatchShapes((16, 64), ((8, 1, 64),)))
    monkeypatch.setattr("edgener_runtime.inference.engine.open_session", lambda *how: session)
    with TokenClassifier.load(bundle, "cpu", "fp32") as classifier:
        classifier.predict_batch(["oil leak", "oil leak at the pump " * 6])
    assert session.ran and {length for _, length in session.ran} <= {16, 64}


def test_the_session_is_closed_once(opened: Any) -> None:
    engine, session = opened(ANY)
    engine.close()
    engine.close()
    assert session.closed == 1
    with pytest.raises(EdgenerError, match="was closed"):
        engine.run({})


@pytest.fixture
def sessions(monkeypatch: pytest.MonkeyPatch) -> dict[int, Narrow]:
    """What is opened, by its threads."""
    made: dict[int, Narrow] = {}
    monkeypatch.setattr(
        "edgener_runtime.inference.engine.open_session",
        lambda model, device, how: made.setdefault(how.threads, Narrow(ANY)),
    )
    return made


def engine_of(bundle: Path, manifest: Manifest, tuning: Tuning) -> Engine:
    settings = manifest.tokenizer
    return Engine(Model(bundle, manifest.variant("fp32"), settings.inputs, settings.max_length), 15, "cpu", tuning)


def batch(rows: int) -> dict[str, Any]:
    return {"input_ids": np.ones((rows, 4), dtype=np.int64)}


def test_one_batch_gets_all_threads_and_several_share_them(
    bundle: Path, manifest: Manifest, sessions: dict[int, Narrow]
) -> None:
    engine = engine_of(bundle, manifest, Tuning(4, 2, threads_each=2))
    assert [answer().shape for answer in engine.start([batch(1)])] == [(1, 4, 15)]
    assert list(sessions) == [4]  # the other one only where it is needed
    assert [answer().shape[0] for answer in engine.start([batch(2), batch(3)])] == [2, 3]
    assert [answer().shape[0] for answer in engine.start([batch(5), batch(6)])] == [5, 6]
    assert sessions[4].ran == [(1, 4)] and sorted(sessions[2].ran) == [(2, 4), (3, 4), (5, 4), (6, 4)]
    engine.close()
    assert (sessions[4].closed, sessions[2].closed) == (1, 1)


def test_one_session_serves_both_where_the_threads_are_the_same(
    bundle: Path, manifest: Manifest, sessions: dict[int, Narrow]
) -> None:
    engine = engine_of(bundle, manifest, Tuning(1, 2))
    assert [answer().shape[0] for answer in engine.start([batch(2), batch(3)])] == [2, 3]
    engine.close()
    assert list(sessions) == [1] and sessions[1].closed == 1


def test_where_memory_is_short_of_a_second_copy_batches_run_one_by_one_and_that_is_reported(
    bundle: Path, manifest: Manifest, sessions: dict[int, Narrow], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = engine_of(bundle, manifest, Tuning(2, 2))

    def short(*how: object) -> Narrow:
        raise DeviceError("there is not enough memory")

    monkeypatch.setattr(engine, "_open_each", short)
    assert [answer().shape[0] for answer in engine.start([batch(2), batch(3)])] == [2, 3]
    assert sessions[2].ran == [(2, 4), (3, 4)]
    assert engine.notes == ("one run at a time: there is not enough memory",)

"""An engine gives a session the batches that it takes, and closes it once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgener_runtime import TokenClassifier
from edgener_runtime.engine import Engine
from edgener_runtime.errors import EdgenerError
from edgener_runtime.manifest import Manifest
from edgener_runtime.session import Model
from edgener_runtime.shapes import ANY, Shapes
from edgener_runtime.tuning import Tuning


class Narrow:
    """In place of a session: takes so many rows of a length at once, and scores each subword with its own number."""

    provider = library = "a stub"
    notes = ()

    def __init__(self, shapes: Shapes) -> None:
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
) -> Callable[[Shapes], tuple[Engine, Narrow]]:
    def make(shapes: Shapes) -> tuple[Engine, Narrow]:
        session = Narrow(shapes)
        monkeypatch.setattr("edgener_runtime.engine.open_session", lambda *how: session)
        settings = manifest.tokenizer
        model = Model(bundle, manifest.variant("fp32"), settings.inputs, settings.max_length)
        return Engine(model, 15, "cpu", Tuning(1)), session

    return make


@pytest.mark.parametrize(
    ("shapes", "expected"),
    [
        (ANY, [(5, 3)]),
        (Shapes(batches=((2, 1, 64),)), [(2, 3), (2, 3), (1, 3)]),
        (Shapes(batches=((1, 1, 64), (4, 1, 2))), [(1, 3)] * 5),  # four rows only of shorter ones
        (Shapes(batches=((8, 1, 64),)), [(5, 3)]),
        (Shapes(batches=((8, 4, 64),)), [(5, 3)]),  # none takes it: the session is to say so
    ],
)
def test_a_batch_runs_in_the_parts_that_the_session_takes(
    shapes: Shapes, expected: list[tuple[int, int]], opened: Any
) -> None:
    engine, session = opened(shapes)
    ids = np.arange(15, dtype=np.int64).reshape(5, 3)
    logits = engine.run({"input_ids": ids, "attention_mask": np.ones_like(ids)})
    assert session.ran == expected
    np.testing.assert_array_equal(logits[..., 0], ids)


def test_texts_are_padded_to_the_lengths_of_the_session(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session = Narrow(Shapes((16, 64), ((8, 1, 64),)))
    monkeypatch.setattr("edgener_runtime.engine.open_session", lambda *how: session)
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

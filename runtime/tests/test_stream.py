"""Texts that come one after the other, many callers at once, and processes that fork."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from edgener_runtime import EdgenerError, TokenClassifier, UserInputError
from edgener_runtime.backends.base import Tuning
from edgener_runtime.bundle.manifest import Manifest
from edgener_runtime.inference.engine import Engine

pytestmark = pytest.mark.compat

TEXTS = ["oil leak at pump P-101", "seal worn", "Feed pump P-7: 泵漏油", "", "crane brg noise, repl roller."] * 40


@pytest.fixture(scope="module", params=[Tuning(1), Tuning(1, workers=3, batch_subwords=64)], ids=["one run", "three"])
def tuned(request: pytest.FixtureRequest, bundle: Path, manifest: Manifest) -> Iterator[TokenClassifier]:
    variant = manifest.variant("fp32")
    with TokenClassifier(bundle, manifest, variant, "cpu", request.param) as classifier:
        yield classifier


def where(found: list[list[object]]) -> list[list[tuple[object, ...]]]:
    """Labels and places; scores differ in their last digits by the batch."""
    return [[(e.label, e.start, e.end, e.text) for e in entities] for entities in found]  # type: ignore[attr-defined]


@pytest.mark.parametrize("look_ahead", [1, 2, 3, 64, 10_000])
def test_a_stream_is_answered_in_order_whatever_it_takes_ahead(look_ahead: int, tuned: TokenClassifier) -> None:
    alone = where([tuned.predict(text) for text in TEXTS])
    assert where(list(tuned.stream(TEXTS, look_ahead=look_ahead))) == alone


@pytest.mark.parametrize("look_ahead", [1, 2, 5, 16])
def test_a_stream_takes_no_more_texts_than_look_ahead(look_ahead: int, tuned: TokenClassifier) -> None:
    taken = 0

    def texts() -> Iterator[str]:
        nonlocal taken
        for text in TEXTS:
            taken += 1
            yield text

    for answered, _ in enumerate(tuned.stream(texts(), look_ahead=look_ahead)):
        assert taken - answered <= look_ahead


def test_a_stream_of_nothing_ends(tuned: TokenClassifier) -> None:
    assert list(tuned.stream([])) == []


@pytest.mark.parametrize("look_ahead", [0, -3])
def test_a_stream_must_take_a_text_to_answer_it(look_ahead: int, tuned: TokenClassifier) -> None:
    with pytest.raises(UserInputError, match=f"look_ahead is {look_ahead}, expected at least 1"):
        next(tuned.stream(TEXTS, look_ahead=look_ahead))


def test_long_texts_are_not_taken_together(tuned: TokenClassifier) -> None:
    taken = 0

    def texts() -> Iterator[str]:
        nonlocal taken
        for _ in range(20):
            taken += 1
            yield "oil leak " * 30_000

    next(tuned.stream(texts()))
    assert taken <= 2


def test_many_threads_may_ask_at_once(tuned: TokenClassifier) -> None:
    alone = where([tuned.predict(text) for text in TEXTS])
    with ThreadPoolExecutor(8) as callers:
        assert where(list(callers.map(tuned.predict, TEXTS))) == alone
        together = list(callers.map(tuned.predict_batch, [TEXTS] * 8))
    assert [where(found) for found in together] == [alone] * 8


def test_an_error_in_one_of_many_runs_reaches_the_caller(
    bundle: Path, manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(engine: Engine, session: object, inputs: object) -> None:
        raise EdgenerError("planted")

    with TokenClassifier(bundle, manifest, manifest.variant("fp32"), "cpu", Tuning(1, 2, 64)) as classifier:
        monkeypatch.setattr(Engine, "_run_on", fail)
        with pytest.raises(EdgenerError, match="planted"):
            classifier.predict_batch(TEXTS)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_is_reported_why_it_may_not(tuned: TokenClassifier) -> None:
    tuned.predict("oil leak")
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            tuned.predict_batch(TEXTS)
        except EdgenerError as error:
            os.write(writing, error.message.encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as message:
        assert f"was loaded in process {os.getpid()}, before the fork of {child}" in message.read()
    os.waitpid(child, 0)


def test_a_spawned_thread_pool_is_gone_after_closing(bundle: Path, manifest: Manifest) -> None:
    import threading

    before = threading.active_count()
    with TokenClassifier(bundle, manifest, manifest.variant("fp32"), "cpu", Tuning(1, 3, 64)) as classifier:
        classifier.predict_batch(TEXTS)
        assert threading.active_count() > before
    assert threading.active_count() == before
    with pytest.raises(EdgenerError, match="closed"):
        classifier.predict_batch(TEXTS)

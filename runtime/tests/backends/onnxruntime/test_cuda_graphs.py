"""Runs by CUDA graphs: which batch goes how, and what comes back. On the CPU, where onnxruntime captures nothing but
takes the same calls; test_on_device.py runs them on a GPU."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime
import pytest

from edgener_runtime.backends.base import Model, Tuning
from edgener_runtime.backends.onnxruntime import session as ort
from edgener_runtime.backends.onnxruntime.cuda_graphs import REFUSED, GraphedRuns
from edgener_runtime.backends.onnxruntime.options import GRAPHS
from edgener_runtime.backends.open import open_session
from edgener_runtime.backends.requirements import ProcessFacts
from edgener_runtime.bundle.manifest import Manifest
from edgener_runtime.errors import DeviceError
from edgener_runtime.machine.devices import CUDA
from edgener_runtime.machine.probe.cuda import CudaDriver, Gpu

pytestmark = pytest.mark.compat

LONGEST = 64
DRIVER = CudaDriver("13.0", (Gpu("NVIDIA H200", "9.0", 150 << 30),), None)
Feeds = dict[str, Any]
Opened = Callable[..., list[tuple[dict[str, str], int]]]


@pytest.fixture(scope="module")
def model(bundle: Path, manifest: Manifest) -> Model:
    settings = manifest.tokenizer
    return Model(bundle, manifest.variant("fp32"), settings.inputs, settings.max_length)


@pytest.fixture(scope="module")
def session(model: Model) -> Any:
    return onnxruntime.InferenceSession(str(model.file), providers=["CPUExecutionProvider"])


class Watched:
    """A session that writes down which graph each run asked for, and in which thread."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self.graphs: list[str] = []
        self.threads: set[int] = set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def run_with_iobinding(self, binding: Any, options: Any) -> None:
        self.graphs.append(options.get_run_config_entry("gpu_graph_id"))
        self.threads.add(threading.get_ident())
        self._session.run_with_iobinding(binding, options)


@pytest.fixture
def watched(session: Any) -> Watched:
    return Watched(session)


@pytest.fixture
def runs(watched: Watched, model: Model) -> Iterator[GraphedRuns]:
    made = GraphedRuns(onnxruntime, watched, model.inputs, LONGEST, "cpu")
    yield made
    made.close()


def feeds(model: Model, rows: int, subwords: int) -> Feeds:
    ids = np.random.default_rng(subwords).integers(5, 100, (rows, subwords))
    fill = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": ids % 4}
    return {name: fill[name].astype(np.int64) for name in model.inputs}


def test_each_length_is_run_twice_at_the_start_as_onnxruntime_captures_the_second(
    runs: GraphedRuns, watched: Watched
) -> None:
    assert runs.lengths == (16, 32, LONGEST)
    assert watched.graphs == ["1", "1", "2", "2", "3", "3"]


@pytest.mark.parametrize(
    ("rows", "subwords", "graph"),
    [(1, 1, "1"), (1, 16, "1"), (1, 17, "2"), (1, LONGEST, "3"), (2, 16, "-1"), (3, LONGEST, "-1")],
)
def test_a_text_alone_takes_the_graph_of_the_next_length(
    rows: int, subwords: int, graph: str, runs: GraphedRuns, watched: Watched, model: Model, session: Any
) -> None:
    given = feeds(model, rows, subwords)
    (expected,) = session.run(["logits"], given)
    found = runs.run(given)
    assert found.shape == expected.shape and found.dtype == np.float32
    assert found == pytest.approx(expected, abs=1e-4)
    assert watched.graphs[6:] == [graph]


def test_nothing_of_a_longer_text_is_left_for_the_next(runs: GraphedRuns, model: Model, session: Any) -> None:
    runs.run(feeds(model, 1, 16))
    given = feeds(model, 1, 3)
    assert runs.run(given) == pytest.approx(session.run(["logits"], given)[0], abs=1e-4)


def test_answers_stay_as_they_were(runs: GraphedRuns, model: Model) -> None:
    first = runs.run(feeds(model, 1, 10))
    before = first.copy()
    runs.run(feeds(model, 1, 11))
    assert np.array_equal(first, before)


def test_all_runs_are_made_by_one_thread_which_ends_with_them(
    runs: GraphedRuns, watched: Watched, model: Model
) -> None:
    callers = [threading.Thread(target=runs.run, args=[feeds(model, 1 + n % 2, 8)]) for n in range(8)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert len(watched.threads) == 1 and threading.get_ident() not in watched.threads
    runs.close()
    assert not any(thread.name.startswith("edgener-cuda") for thread in threading.enumerate())


# --- the session around them; onnxruntime's CUDA provider is a double


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch, session: Any) -> Opened:
    """`opened(error)` lets a session with graphs fail so; returns the options of each that is opened, and how much of
    its log is shown."""
    monkeypatch.setattr("edgener_runtime.machine.probe.cuda.cuda_driver", lambda: DRIVER)
    monkeypatch.setattr(ProcessFacts, "onnxruntime_packages", lambda *_: ("onnxruntime-gpu 1.31.1",))

    def play(error: str = "") -> list[tuple[dict[str, str], int]]:
        asked: list[tuple[dict[str, str], int]] = []

        def make(file: str, settings: Any, providers: list[tuple[str, dict[str, str]]], **others: Any) -> Any:
            asked.append((providers[0][1], settings.log_severity_level))
            if error and GRAPHS in asked[-1][0]:
                raise RuntimeError(error)
            watched = Watched(session)
            watched.get_providers = lambda: [CUDA]  # type: ignore[attr-defined]
            return watched

        module = SimpleNamespace(
            __version__="1.31.1", InferenceSession=make, SessionOptions=onnxruntime.SessionOptions,
            get_available_providers=lambda: [CUDA], set_default_logger_severity=lambda level: None,
            RunOptions=onnxruntime.RunOptions, OrtValue=onnxruntime.OrtValue,
        )  # fmt: skip
        for place in ("library", "session"):
            monkeypatch.setattr(f"edgener_runtime.backends.onnxruntime.{place}.load_onnxruntime", lambda: module)
        return asked

    return play


def test_a_model_that_cannot_be_captured_runs_without_and_says_so(opened: Opened, model: Model) -> None:
    asked = opened(f"This session {REFUSED} as requested by the user")
    found = open_session(model, "cuda", Tuning(1))
    assert [(GRAPHS in options, shown) for options, shown in asked] == [(True, 4), (False, 3)]
    assert found.notes == (f"no CUDA graph: This session {REFUSED} as requested by the user",)


def test_any_other_fault_is_one(opened: Opened, model: Model) -> None:
    opened("CUDA failure 2: out of memory")
    with pytest.raises(DeviceError, match="not enough memory"):
        open_session(model, "cuda", Tuning(1))


def test_what_breaks_off_in_the_first_runs_is_reported(
    opened: Opened, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened()

    def broken(*arguments: Any) -> None:
        raise RuntimeError("CUDA failure 700: an illegal memory access")

    monkeypatch.setattr(ort, "GraphedRuns", broken)
    with pytest.raises(DeviceError, match="failed in its first runs: CUDA failure 700"):
        open_session(model, "cuda", Tuning(1))

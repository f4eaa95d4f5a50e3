"""The operator in onnxruntime against its definition in numpy: values, batches, threads and bad input."""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from .graphs import layer_model, offsets_of, open_session, random_layer
from .reference import Floats, encoder_layer

pytest.importorskip("onnx")

HIDDEN, BETWEEN, HEADS = 96, 200, 3
LAYER = random_layer(HIDDEN, BETWEEN)


def rows(count: int, hidden: int = HIDDEN, seed: int = 1) -> Floats:
    return np.random.default_rng(seed).standard_normal((count, hidden)).astype(np.float32)


def run(session: Any, x: Floats, offsets: Any) -> Floats:
    (y,) = session.run(None, {"x": x, "offsets": np.asarray(offsets, np.int64)})
    return y  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def session() -> Any:
    return open_session(layer_model([LAYER], HEADS))


@pytest.mark.compat
@pytest.mark.parametrize(("activation", "rotated"), [("gelu", False), ("relu", True), ("gelu", True)])
@pytest.mark.parametrize(
    ("hidden", "between", "heads"), [(384, 1536, 12), (312, 1200, 12), (128, 512, 2), (40, 50, 5), (24, 33, 1)]
)
def test_it_computes_what_the_reference_defines(
    hidden: int, between: int, heads: int, activation: str, rotated: bool
) -> None:
    layer, offsets = random_layer(hidden, between), offsets_of([5, 20, 1, 0, 33])
    x = rows(offsets[-1], hidden)
    y = run(open_session(layer_model([layer], heads, 1e-5, activation, rotated)), x, offsets)
    expected = encoder_layer(x, offsets, layer, heads, 1e-5, activation, rotated)
    # A number on the edge between two steps may round the other way, which moves a row by a fraction of a step.
    assert np.sqrt(np.mean((y - expected) ** 2)) < 5e-4
    assert np.quantile(np.abs(y - expected), 0.9) < 1e-6


@pytest.mark.compat
@settings(max_examples=30, deadline=None)
@given(lengths=st.lists(st.integers(0, 90), min_size=1, max_size=9), seed=st.integers(0, 99))
def test_a_sequence_has_the_same_bits_alone_in_a_batch_and_on_many_threads(lengths: list[int], seed: int) -> None:
    model = _sessions()
    offsets = offsets_of(lengths)
    x = rows(offsets[-1], seed=seed)
    y = run(model[1], x, offsets)
    for threads in (2, 4):
        np.testing.assert_array_equal(y, run(model[threads], x, offsets))
    for start, end in pairwise(offsets):
        np.testing.assert_array_equal(run(model[1], x[start:end], [0, end - start]), y[start:end])


_opened: dict[int, Any] = {}


def _sessions() -> dict[int, Any]:
    if not _opened:
        _opened.update({threads: open_session(layer_model([LAYER, LAYER], HEADS), threads) for threads in (1, 2, 4)})
    return _opened


def test_layers_one_after_the_other(session: Any) -> None:
    offsets = offsets_of([7, 30])
    x = rows(37)
    twice = run(session, run(session, x, offsets), offsets)
    np.testing.assert_array_equal(run(open_session(layer_model([LAYER, LAYER], HEADS)), x, offsets), twice)


def test_no_sequences_and_no_rows(session: Any) -> None:
    assert run(session, rows(0), [0]).shape == (0, HIDDEN)
    assert run(session, rows(0), [0, 0, 0]).shape == (0, HIDDEN)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_number_that_is_not_finite_poisons_its_own_sequence_only(session: Any, bad: float) -> None:
    x, offsets = rows(30), offsets_of([10, 12, 8])
    good = run(session, x, offsets)
    x[15, 3] = bad
    y = run(session, x, offsets)
    assert np.isnan(y[10:22]).all()
    np.testing.assert_array_equal(y[:10], good[:10])
    np.testing.assert_array_equal(y[22:], good[22:])


@pytest.mark.parametrize("fill", [0, 1e-38, 1e30, 3e38])
def test_rows_without_a_usual_range(session: Any, fill: float) -> None:
    x = np.full((5, HIDDEN), fill, np.float32)
    y = run(session, x, [0, 5])
    assert fill > 1e20 or np.isfinite(y).all()


@pytest.mark.parametrize(
    ("offsets", "message"),
    [
        ([0, 5], "goes from 0 to the number of rows"),
        ([1, 9], "goes from 0 to the number of rows"),
        ([0, 7, 3, 9], "never falls"),
        ([0, -4, 9], "never falls"),
        ([], "one number more"),
    ],
)
def test_offsets_that_are_wrong_are_an_error(session: Any, offsets: list[int], message: str) -> None:
    with pytest.raises(Exception, match=message):
        run(session, rows(9), offsets)


def test_rows_of_another_width_are_an_error(session: Any) -> None:
    with pytest.raises(Exception, match=r"Got: 95|needs rows of 96"):
        run(session, rows(9, 95), [0, 9])


def _with(place: int, array: Any) -> bytes:
    inputs = LAYER.inputs()
    inputs[place] = array
    changed = type("Changed", (), {"inputs": lambda self: inputs, "feed_forward_beta": LAYER.feed_forward_beta})
    return layer_model([changed()], HEADS)  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (lambda: layer_model([LAYER], 7), "do not part into 7 heads"),
        (lambda: layer_model([LAYER], 0), "do not part into 0 heads"),
        (lambda: layer_model([LAYER], HEADS, activation="tanh"), "activation is tanh"),
        (lambda: _with(0, LAYER.qkv.weight[:-1]), r"input 2 needs the shape \[18, 24, 16, 4\]"),
        (lambda: _with(1, LAYER.qkv.scale[:-1]), "input 3 needs 288 numbers"),
        (lambda: _with(6, LAYER.attention_gamma[:-1]), "input 8 needs 96 numbers"),
        (lambda: _with(11, LAYER.feed_forward.weight[:, :-9]), "input 13 does not follow input 10"),
    ],
)
def test_a_layer_that_does_not_fit_is_an_error(model: Any, message: str) -> None:
    with pytest.raises(Exception, match=message):
        open_session(model())


def test_many_threads_on_one_session() -> None:
    session, offsets = open_session(layer_model([LAYER], HEADS), 2), offsets_of([3, 40, 60])
    inputs = [rows(103, seed=seed) for seed in range(24)]
    expected = [run(session, x, offsets) for x in inputs]
    with ThreadPoolExecutor(8) as pool:
        for y, right in zip(pool.map(lambda x: run(session, x, offsets), inputs), expected, strict=True):
            np.testing.assert_array_equal(y, right)


@pytest.mark.skipif(sys.platform != "linux", reason="fork")
def test_a_session_works_after_a_fork() -> None:
    session = open_session(layer_model([LAYER], HEADS))
    expected = run(session, rows(20), [0, 20])
    if not (child := os.fork()):
        try:
            os._exit(0 if np.array_equal(run(session, rows(20), [0, 20]), expected) else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_the_weights_are_not_copied() -> None:
    """A second session costs the model and little more: the kernels read the weights where onnxruntime has them."""
    layer = random_layer(768, 3072)
    size = sum(array.nbytes for array in layer.inputs())
    before, session = _resident(), open_session(layer_model([layer], 12))
    taken = _resident() - before
    assert run(session, rows(4, 768), [0, 4]).shape == (4, 768)
    assert taken < 1.6 * size + 20e6, f"{taken / 1e6:.1f} MB for weights of {size / 1e6:.1f} MB"


def _resident() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

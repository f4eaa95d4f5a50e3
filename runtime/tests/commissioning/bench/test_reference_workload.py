"""A fixed computation: the lower quartile of its pieces, in one thread, about as long each time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from statistics import median

import pytest

from edgener_runtime.commissioning.bench.metering import reference_workload as module
from edgener_runtime.commissioning.bench.metering.reference_workload import reference_workload_ms

pytestmark = pytest.mark.timing


def test_interrupted_pieces_and_the_first_two_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    pieces: Iterator[float] = iter([9e-9, 9e-9, 0.9, 0.001, *[0.9] * 9, 0.0012, 0.002, 0.0015, 0.9])
    monkeypatch.setattr(module, "_piece", lambda: next(pieces))
    assert reference_workload_ms() == 2.0


def test_a_slower_machine_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = reference_workload_ms()
    piece = module._piece
    monkeypatch.setattr(module, "_piece", lambda: piece() + piece() + piece())
    assert reference_workload_ms() > 1.5 * usual


def test_it_takes_one_thread_and_little_more_than_its_pieces() -> None:
    """Compared with one repetition: that takes milliseconds on a server, and half a second on an emulated CPU."""
    piece = median(module._piece() for _ in range(5))
    start, used = time.perf_counter(), time.process_time()
    reference_workload_ms()
    seconds, used = time.perf_counter() - start, time.process_time() - used
    assert used < 1.3 * seconds + 0.005
    assert used < 2 * (module._PIECES + module._UNTIMED) * piece


def test_its_numbers_neither_vanish_nor_grow() -> None:
    """Those that are no normal numbers would take another time."""
    matrices, _ = module._material()
    product = matrices @ matrices @ matrices @ matrices @ matrices
    assert 0.5 < abs(product).max() <= 1.001

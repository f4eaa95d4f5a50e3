"""Threads that spin while they wait do so within a run, and leave the cores to others after it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from edgener_runtime import TokenClassifier

pytestmark = pytest.mark.timing

PAUSES, PAUSE = 20, 0.02  # seconds


def test_nothing_spins_between_runs(bundle: Path) -> None:
    with TokenClassifier.load(bundle, "cpu", threads=2) as classifier:
        assert classifier.tuning.spinning
        spent = sum(spent_in_a_pause(classifier) for _ in range(PAUSES))
    assert spent < PAUSES * PAUSE / 4


def spent_in_a_pause(classifier: TokenClassifier) -> float:
    """CPU seconds of this process while it waits after a text."""
    classifier.predict("Pump P-101 leaks at the seal")
    before = time.process_time()
    time.sleep(PAUSE)
    return time.process_time() - before

"""The drift index: the committed figures are what the threshold rests on, and the script measures what it says."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from benchmarks.drift_index import measure

from edgener_runtime.decoding.schemes import LabelSet
from edgener_runtime.monitoring.counts import Columns
from edgener_runtime.monitoring.drift import FEWEST, THRESHOLD, WINDOW

ROOT = Path(__file__).resolve().parents[2]
RESULT = ROOT / "benchmarks" / "results" / "drift" / "conll2003.json"
LABELS = LabelSet(("O", "B-PER", "I-PER"))


@pytest.mark.skipif(not RESULT.is_file(), reason="the drift of real text has not been measured")
def test_news_stays_below_the_threshold_and_maintenance_text_is_over_it_within_500_texts() -> None:
    record = json.loads(RESULT.read_text(encoding="utf-8"))
    index = {name: figures["certainty"] for name, figures in record["drift_index"].items()}
    for window in (FEWEST, WINDOW):
        assert index[f"held out, {window} texts"]["highest"] < THRESHOLD < index[f"foreign, {window} texts"]["lowest"]
    assert all(texts <= 500 for texts in record["detected_after"].values())


def test_the_script_measures_each_window() -> None:
    columns = Columns(("O", "PER"))
    rows = np.zeros((3 * WINDOW, columns.count), dtype=np.int64)
    rows[:, [0, columns.parts["length"].start, columns.parts["labels"].start]] = 1
    other = np.zeros_like(rows)
    other[:, [5, columns.parts["length"].start + 1, columns.parts["labels"].start + 1]] = 1
    found = measure(LABELS, {"reference": rows, "held out": rows[: WINDOW + 3], "foreign": other[: WINDOW + 3]})
    assert found["drift_index"][f"held out, {WINDOW} texts"]["certainty"]["highest"] < 0.01
    assert found["drift_index"][f"foreign, {WINDOW} texts"]["labels"]["lowest"] > 1
    assert found["detected_after"]["from the start"] == FEWEST
    assert 0 < found["detected_after"][f"after {WINDOW} held-out texts"] < FEWEST

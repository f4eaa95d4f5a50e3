"""What is counted of texts, and the index over the latest of them."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgener_runtime import TokenClassifier
from edgener_runtime.base.serde import to_dict
from edgener_runtime.bundle.manifest import ReferenceCounts, read_manifest
from edgener_runtime.decoding.decode import Scored, softmax
from edgener_runtime.decoding.schemes import LabelSet
from edgener_runtime.errors import BundleError
from edgener_runtime.monitoring.counts import CERTAINTIES, LENGTHS, MEASURE, Columns, certainties, count_reference
from edgener_runtime.monitoring.drift import FEWEST, THRESHOLD, DriftMonitor, population_stability

LABELS = LabelSet(("O", "B-PER", "I-PER", "B-LOC", "I-LOC"))
UNKNOWN = 7


def scored(*texts: Any) -> Scored:
    """Texts by the logits of their subwords."""
    logits = np.array([row for text in texts for row in text], dtype=np.float32).reshape(-1, 5)
    return Scored(logits, (), list, [len(text) for text in texts])


def sure(label: int, by: float = 9) -> list[float]:
    return [by if number == label else 0 for number in range(5)]


def monitor(reference: ReferenceCounts | None = None, window: int = 4) -> DriftMonitor:
    return DriftMonitor(LABELS, UNKNOWN, reference, window)


def add(to: DriftMonitor, *texts: Any, ids: list[list[int]] | None = None) -> None:
    given = scored(*texts)
    to.add(to.counter.rows(ids or [[0] * len(text) for text in texts], given, certainties(given)))


def test_a_text_is_as_certain_as_the_smallest_margin_of_its_subwords() -> None:
    given = scored([sure(0), [1, 0.5, 0, 0, 0]], [], [sure(3)])
    probabilities = np.sort(softmax(given.logits), axis=-1)
    margins = probabilities[:, -1] - probabilities[:, -2]
    assert certainties(given).tolist() == [pytest.approx(margins[1]), 1, pytest.approx(margins[2])]


def test_texts_without_any_subword_are_certain() -> None:
    assert certainties(scored([], [])).tolist() == [1, 1]
    counted = monitor()
    add(counted, [], [])
    assert counted.report().counts.texts == 2


def test_subwords_are_counted_by_the_type_of_their_best_label_and_unknown_ones() -> None:
    counted = monitor()
    add(counted, [sure(0), sure(1), sure(2)], [sure(4)], ids=[[1, UNKNOWN, UNKNOWN], [2]])
    counts = counted.report().counts
    assert counts.labels == {"O": 1, "LOC": 1, "PER": 2}
    assert (counts.texts, counts.unknown, counts.measure) == (2, 2, MEASURE)
    assert sum(counts.certainty) == sum(counts.length) == 2 and counts.length[0] == 2


def test_the_index_is_that_of_the_latest_texts() -> None:
    reference = count_reference(LABELS, UNKNOWN, [([0], np.array([sure(0)], dtype=np.float32))] * 900)
    counted = monitor(reference, window=200)
    add(counted, *[[sure(0)]] * 200)
    same = counted.report()
    assert same.drifted is False and max(same.psi.values()) < 0.2
    add(counted, *[[sure(1, 0.1)] * 40] * 200)
    other = counted.report()
    assert other.drifted and min(other.psi[name] for name in ("certainty", "length", "labels")) > THRESHOLD
    add(counted, *[[sure(0)]] * 300)  # more than the window at once
    assert counted.report().psi == same.psi
    assert counted.report().counts.texts == 700 and counted.report().window == 200


def test_the_index_is_the_population_stability_index() -> None:
    """Worked out by hand from counts, with the half that is added to each."""
    expected, found = np.array([30, 10]), np.array([10, 30])
    shares = [(30.5 / 41, 10.5 / 41), (10.5 / 41, 30.5 / 41)]
    by_hand = sum((b - a) * np.log(b / a) for a, b in zip(*shares, strict=True))
    assert population_stability(expected, found) == pytest.approx(by_hand)
    assert population_stability(expected, 100 * expected) < 0.001


@pytest.mark.parametrize("given", [None, "other measure", "other bins", "other labels"])
def test_without_a_fitting_reference_texts_are_counted_and_the_reason_is_given(given: str | None) -> None:
    counts = count_reference(LABELS, UNKNOWN, [([0], np.array([sure(0)], dtype=np.float32))] * 200)
    changes: dict[str | None, dict[str, Any]] = {
        None: {}, "other measure": {"measure": MEASURE + 1}, "other bins": {"length": (1, 2)},
        "other labels": {"labels": {"O": 1}},
    }  # fmt: skip
    reference = ReferenceCounts(**{**to_dict(counts), **changes[given]}) if given else None
    counted = monitor(reference)
    add(counted, *[[sure(0)]] * 8)
    report = counted.report()
    assert (report.psi, report.drifted, report.counts.texts) == ({}, None, 8)
    assert "export it again" in str(report.reason) and str(report.reason) in str(report)


def test_few_texts_and_none_have_no_index() -> None:
    reference = count_reference(LABELS, UNKNOWN, [([0], np.array([sure(0)], dtype=np.float32))] * 200)
    counted = monitor(reference, window=1000)
    assert counted.report().reason == f"it needs {FEWEST} texts"
    add(counted, *[[sure(0)]] * (FEWEST - 1))
    assert counted.report().drifted is None
    add(counted, [sure(0)])
    assert counted.report().drifted is False


def test_threads_lose_no_text() -> None:
    counted = monitor(window=64)
    rows = counted.counter.rows([[0]], given := scored([sure(1)]), certainties(given))
    threads = [threading.Thread(target=lambda: [counted.add(rows) for _ in range(500)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    report = counted.report()
    assert (report.counts.texts, report.window) == (2000, 64)
    assert report.counts.labels["PER"] == 2000


def test_a_reference_is_the_same_row_again() -> None:
    columns = Columns(("O", "LOC", "PER"))
    row = np.arange(columns.count)
    row[-2] = row[columns.parts["labels"]].sum() - row[-1]  # the known ones
    again = columns.row_of(columns.reference_of(row))
    assert again is not None and again.tolist() == row.tolist()
    assert len(CERTAINTIES) + len(LENGTHS) + 2 + 3 + 2 == columns.count


def test_a_manifest_with_impossible_counts_is_refused(edit: Callable[..., Path]) -> None:
    counts = {"measure": 1, "texts": 1, "certainty": [1], "length": [1], "labels": {"O": 1}, "unknown": 2}
    copy = edit("variants", 0, drift=counts)
    with pytest.raises(BundleError, match=r"drift\.unknown: found 2"):
        read_manifest(copy)
    edit("variants", 0, drift={**counts, "texts": -1})
    with pytest.raises(BundleError, match=r"drift\.texts"):
        read_manifest(copy)
    edit("variants", 0, drift={**counts, "unknown": 1})
    assert any(entry.drift for entry in read_manifest(copy).variants)


def test_a_bundle_with_a_reference_is_compared(bundle: Path, edit: Callable[..., Path], golden: Any) -> None:
    """Its own texts do not drift, numbers do."""
    texts = [record["text"] for record in golden if record["text"].strip()]
    with TokenClassifier.load(bundle, "cpu", "fp32") as classifier:
        classifier.monitor()
        classifier.predict_batch(texts * 4)
        explained = classifier.explain()
        assert explained.drift and "no reference" in str(explained)
    number = [entry["name"] for entry in json.loads((bundle / "manifest.json").read_text())["variants"]].index("fp32")
    copy = edit("variants", number, drift=to_dict(explained.drift.counts))
    with TokenClassifier.load(copy, "cpu", "fp32") as classifier:
        assert classifier.explain().drift is None
        classifier.monitor(window=100)
        classifier.predict_batch(texts * 4)
        same = classifier.explain().drift
        assert same and same.drifted is False
        classifier.predict_batch([f"{number} {number * 7919}" for number in range(100)])
        classifier.tag_batch([["71", "3.7"]])
        other = classifier.explain().drift
    assert other and other.counts.texts == len(texts) * 4 + 101
    assert max(other.psi.values()) > THRESHOLD

"""Activation ranges: known answers on hand-made numbers, bounded memory, and a cache that knows what it was made of."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from edgener_exporters.calibrate import calibration as module
from edgener_exporters.calibrate.calibration import FEWEST, METHODS, Calibration
from edgener_exporters.calibrate.ranges import Range, entropy_threshold, min_max, narrowed, percentile_threshold
from edgener_exporters.graph.roles import find_products
from edgener_runtime.errors import ExportError, UserInputError

from ..conftest import Encoder

Feeds = dict[str, Any]


def floats() -> onnx.ModelProto:
    """`table[input_ids]`, then its double: a graph whose activations are whatever one likes."""
    table = np.arange(-4, 5, dtype=np.float32)
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["value"], "value"),
        helper.make_node("Add", ["value", "value"], ["double"], "double"),
    ]
    ids = helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["batch", "sequence"])
    out = helper.make_tensor_value_info("double", TensorProto.FLOAT, ["batch", "sequence"])
    graph = helper.make_graph(nodes, "floats", [ids], [out], [numpy_helper.from_array(table, "table")])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)


def fed(*batches: list[int]) -> Iterator[Feeds]:
    """One batch of one row for each list of values between -4 and 4."""
    yield from ({"input_ids": np.array([values], dtype=np.int64) + 4} for values in batches)


# --- ranges


def test_the_range_is_over_all_batches_and_the_power_over_all_subwords() -> None:
    found = min_max(floats(), ["value", "double"], fed([0, 1, 2], [-3]))
    assert found["value"] == Range(-3, 2, pytest.approx((0 + 1 + 4 + 9) / 4))
    assert found["double"] == Range(-6, 4, pytest.approx((0 + 4 + 16 + 36) / 4))
    assert found["value"].size == 3


@given(st.lists(st.lists(st.integers(-4, 4), min_size=1, max_size=6), min_size=1, max_size=5))
def test_how_texts_are_batched_changes_nothing(batches: list[list[int]]) -> None:
    apart = min_max(floats(), ["value"], fed(*batches))["value"]
    values = np.concatenate(batches)
    expected = Range(values.min(), values.max(), float((values.astype(float) ** 2).mean()))
    assert apart == Range(expected.low, expected.high, pytest.approx(expected.power, rel=1e-6, abs=1e-9))


def test_a_value_that_is_not_finite_is_an_error_with_its_name() -> None:
    model = floats()
    table = model.graph.initializer[0]
    table.CopyFrom(numpy_helper.from_array(np.float32([np.inf] * 9), "table"))
    with pytest.raises(ExportError, match="value is not finite"):
        min_max(model, ["value"], fed([0]))


def test_a_range_that_is_cut_keeps_the_side_that_is_smaller_anyway() -> None:
    seen = {"value": Range(-1, 4, 5.0)}
    found = narrowed(floats(), seen, fed([-1, 0, 1, 2, 3, 4]), lambda counts: 0.5)
    assert found == {"value": Range(-1, 2, 5.0)}


def test_the_histogram_counts_every_absolute_value_once() -> None:
    counts = []

    def look(histogram: Any) -> float:
        counts.append(histogram)
        return 1.0

    narrowed(floats(), {"value": Range(-4, 4, 1.0)}, fed([-4, -2, 0], [2, 4]), look)
    bins = len(counts[0])
    assert counts[0].sum() == 5
    assert {int(place): int(counts[0][place]) for place in np.flatnonzero(counts[0])} == {
        0: 1,
        bins // 2: 2,
        bins - 1: 2,
    }


# --- thresholds by hand-made histograms


def test_the_percentile_is_where_a_ten_thousandth_lies_above() -> None:
    counts = np.zeros(2048, dtype=np.int64)
    counts[100], counts[2047] = 9999, 1
    assert percentile_threshold(counts) == 101 / 2048
    counts[2047] = 3  # too many to leave out
    assert percentile_threshold(counts) == 1.0


def test_the_percentile_of_one_value_is_that_value() -> None:
    counts = np.zeros(2048, dtype=np.int64)
    counts[2047] = 5
    assert percentile_threshold(counts) == 1.0


def test_entropy_cuts_nothing_off_a_flat_histogram() -> None:
    assert entropy_threshold(np.full(2048, 10)) == 1.0


def test_entropy_keeps_all_where_the_levels_hold_all() -> None:
    """128 bins of 128 levels lose nothing; of the cuts that lose nothing the first is taken."""
    counts = np.zeros(2048, dtype=np.int64)
    counts[:128] = np.arange(1, 129)
    assert entropy_threshold(counts) == 128 / 2048


def test_entropy_cuts_a_lone_outlier_off() -> None:
    """2 % of the range hold a bell; one value at the far end would take 15 of 16 levels from it."""
    counts = np.zeros(2048, dtype=np.int64)
    counts[:256] = (1e5 * np.exp(-((np.arange(256) / 80) ** 2))).astype(np.int64) + 1
    counts[2047] = 1
    assert 128 / 2048 <= entropy_threshold(counts) <= 256 / 2048


def test_minmax_looks_at_no_histogram() -> None:
    assert METHODS["minmax"] is None and set(METHODS) == {"minmax", "entropy", "percentile"}


@given(st.lists(st.integers(0, 1000), min_size=128, max_size=300).filter(any))
def test_a_threshold_is_a_share_of_the_largest_value(counts: list[int]) -> None:
    for threshold in (percentile_threshold, entropy_threshold):
        assert 0 < threshold(np.array(counts)) <= 1


# --- texts


def test_too_few_texts_are_an_error_and_repeats_and_blanks_are_no_texts(cased: Encoder) -> None:
    few = cased.calibration.with_texts([*(f"text {number}" for number in range(FEWEST - 1)), "text 0", " ", ""])
    with pytest.raises(UserInputError, match=f"{FEWEST - 1} different sentences, expected at least {FEWEST}"):
        few.check()
    with pytest.raises(UserInputError, match="1 different sentences"):
        cased.calibration.with_texts(["one sentence"]).ranges(onnx.load(cased.fp32), [])
    cased.calibration.with_texts([f"text {number}" for number in range(FEWEST)]).check()


def many_texts(count: int) -> list[str]:
    return [f"Pump P-{number} leaks at valve {number % 97}" for number in range(count)]


def test_memory_does_not_grow_with_the_text(cased: Encoder) -> None:
    """What is held while 10,000 sentences go by, over the sentences themselves, is what 1,000 take."""
    peaks = []
    for count in (1_000, 10_000):
        calibration = cased.calibration.with_texts(many_texts(count))
        subwords = 0
        tracemalloc.start()
        try:
            for arrays in calibration.feeds():
                subwords += int(arrays["attention_mask"].sum())
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
        assert subwords > 8 * count
    assert peaks[1] < 1.2 * peaks[0]
    assert peaks[1] < 4_000_000  # bytes


def test_a_measurement_holds_one_batch_at_a_time(cased: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    """The batches that are alive while ranges and histograms are measured."""
    import weakref

    alive: weakref.WeakSet[Any] = weakref.WeakSet()
    most = [0]
    true_feeds = module.feeds

    class Batch(dict[str, Any]):
        __hash__ = object.__hash__  # type: ignore[assignment]

    def watched(*arguments: Any) -> Any:
        batch = Batch(true_feeds(*arguments))
        alive.add(batch)
        most[0] = max(most[0], len(alive))
        return batch

    monkeypatch.setattr(module, "feeds", watched)
    calibration = cased.calibration.with_texts(many_texts(600))
    inputs = {product.input for product in find_products(onnx.load(cased.fp32))}
    calibration.ranges(onnx.load(cased.fp32), sorted(inputs), "percentile")
    assert most[0] <= 2  # the one that is run and the next


# --- the cache


class Counted(Calibration):
    """Counts how often it runs the model."""

    runs = 0

    def feeds(self, stage: str = "calibration") -> Iterator[Feeds]:
        self.runs += 1
        return super().feeds(stage)


TENSORS = 3


@pytest.fixture
def model(cased: Encoder) -> onnx.ModelProto:
    return onnx.load(cased.fp32)


@pytest.fixture
def tensors(model: onnx.ModelProto) -> list[str]:
    return [product.output for product in find_products(model)][:TENSORS]


def fresh(cased: Encoder, cache: Path | None, texts: list[str] | None = None) -> Counted:
    return Counted(texts or cased.calibration.texts, cased.tokenizer, cache=cache)


def test_a_second_call_measures_nothing_and_says_the_same(
    cased: Encoder, model: onnx.ModelProto, tensors: list[str], tmp_path: Path
) -> None:
    first, second = fresh(cased, tmp_path), fresh(cased, tmp_path)
    assert first.ranges(model, tensors) == second.ranges(model, tensors)
    assert (first.runs, second.runs) == (1, 0)


def test_without_a_cache_nothing_is_kept(
    cased: Encoder, model: onnx.ModelProto, tensors: list[str], tmp_path: Path
) -> None:
    for _ in range(2):
        calibration = fresh(cased, None)
        calibration.ranges(model, tensors)
        assert calibration.runs == 1


def test_other_text_another_method_another_graph_and_other_tensors_are_measured_anew(
    cased: Encoder, model: onnx.ModelProto, tensors: list[str], tmp_path: Path
) -> None:
    fresh(cased, tmp_path).ranges(model, tensors)
    other_text = fresh(cased, tmp_path, cased.calibration.texts[1:])
    other_text.ranges(model, tensors)
    assert other_text.runs == 1

    again = fresh(cased, tmp_path)
    again.ranges(model, tensors, "percentile")
    assert again.runs == 2  # once for the ranges, once for the histograms
    again.ranges(model, tensors[1:])
    assert again.runs == 3
    bias = next(tensor for tensor in model.graph.initializer if tensor.name.endswith("query.bias"))
    bias.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(bias) + np.float32(1e-6), bias.name))
    again.ranges(model, tensors)
    assert again.runs == 4
    assert len(list(tmp_path.rglob("*.json"))) == 5


def test_repeats_are_no_other_text_but_capitals_are(cased: Encoder) -> None:
    texts = cased.calibration.texts
    assert fresh(cased, None, texts).sha256 == fresh(cased, None, texts + texts[:3]).sha256
    assert fresh(cased, None, texts).sha256 != fresh(cased, None, [text.upper() for text in texts]).sha256


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b'{"x": 3}',
        b'{"x": ["a"]}',
        b"null",
        b'{"x": [1, 2]}',
        b'{"sha256": "", "numbers": {}}',
        b"{}",
        b"\xff\xfe\x00",
    ],
)
def test_a_damaged_cache_file_is_measured_again_and_replaced(
    content: bytes, cased: Encoder, model: onnx.ModelProto, tensors: list[str], tmp_path: Path
) -> None:
    expected = fresh(cased, tmp_path).ranges(model, tensors)
    (file,) = tmp_path.rglob("*.json")
    whole = file.read_bytes()
    file.write_bytes(content)
    calibration = fresh(cased, tmp_path)
    assert calibration.ranges(model, tensors) == expected
    assert calibration.runs == 1 and file.read_bytes() == whole


@pytest.mark.parametrize("digit", [b"1", b"7"])
def test_a_kept_number_with_a_changed_digit_is_measured_anew(
    digit: bytes, cased: Encoder, model: onnx.ModelProto, tensors: list[str], tmp_path: Path
) -> None:
    """A file that reads well and says something else."""
    expected = fresh(cased, tmp_path).ranges(model, tensors)
    (file,) = tmp_path.rglob("*.json")
    whole = file.read_bytes()
    place = whole.index(digit, whole.index(b'"numbers"'))
    file.write_bytes(whole[:place] + b"2" + whole[place + 1 :])
    json.loads(file.read_text())
    assert fresh(cased, tmp_path).ranges(model, tensors) == expected
    assert file.read_bytes() == whole


def test_progress_counts_every_text_once_a_pass(cased: Encoder, model: onnx.ModelProto, tensors: list[str]) -> None:
    stages: dict[str, list[int]] = {}

    def track(stage: str, steps: int) -> Any:
        stages[stage] = [steps, 0]

        def step() -> None:
            stages[stage][1] += 1

        return step

    texts = cased.calibration.texts
    Calibration(texts, cased.tokenizer, "entropy", track=track).ranges(model, tensors)
    assert len(stages) == 2 and all(counted == [len(texts)] * 2 for counted in stages.values())

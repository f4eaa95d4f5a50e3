"""INT8 weights: small errors, and integer products that are exact on every CPU."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from onnx import helper, numpy_helper

from edgener_exporters.graph.weights import column_scales, quantized, safe_column_scales
from edgener_runtime.machine.cpu import isa

WEIGHTS = arrays.arrays(
    np.float32, st.tuples(st.integers(1, 9), st.integers(1, 5)), elements=st.floats(-100, 100, width=32)
)
NO_VNNI = "avx2" in isa() and "vnni" not in isa()


@given(WEIGHTS)
def test_a_quantised_weight_is_off_by_half_a_step_at_most(weight: Any) -> None:
    for scales in (column_scales(weight), safe_column_scales(weight)):
        steps = quantized(weight, scales)
        assert np.abs(steps * scales - weight).max() <= scales.max() * 0.501


@given(WEIGHTS)
def test_the_finest_scale_uses_all_steps_and_the_safe_one_at_least_half(weight: Any) -> None:
    used = np.abs(weight).max(axis=0) > 1e-6
    assert (np.abs(quantized(weight, column_scales(weight))).max(axis=0)[used] == 127).all()
    assert (np.abs(quantized(weight, safe_column_scales(weight))).max(axis=0)[used] >= 63).all()


@given(WEIGHTS)
def test_no_pair_of_safe_weights_can_saturate_sixteen_bits(weight: Any) -> None:
    steps = quantized(weight, safe_column_scales(weight)).astype(int)
    padded = np.pad(steps, ((0, len(steps) % 2), (0, 0))).reshape(-1, 2, steps.shape[1])
    for sign in (1, -1):
        assert 255 * np.maximum(sign * padded, 0).sum(axis=1).max() <= 32767


def product_without_vnni(activations: Any, steps: Any) -> Any:
    """(m, k) U8 by (k, n) S8 as vpmaddubsw, vpmaddwd and vpaddd do it: each pair along k in 16 bits that saturate."""
    pad = len(steps) % 2
    a = np.pad(activations, ((0, 0), (0, pad))).astype(np.int32).reshape(len(activations), -1, 2, 1)
    w = np.pad(steps, ((0, pad), (0, 0))).astype(np.int32).reshape(1, -1, 2, steps.shape[1])
    return np.clip((a * w).sum(axis=2), -32768, 32767).sum(axis=1)


@given(WEIGHTS, st.data())
def test_products_of_any_activations_with_safe_weights_are_exact_without_vnni(weight: Any, data: st.DataObject) -> None:
    steps = quantized(weight, safe_column_scales(weight))
    shape = st.tuples(st.integers(1, 4), st.just(len(weight)))
    activations = data.draw(arrays.arrays(np.uint8, shape))
    assert (product_without_vnni(activations, steps) == activations.astype(int) @ steps.astype(int)).all()


@given(WEIGHTS)
def test_so_are_the_largest_activations_on_either_sign_of_each_column(weight: Any) -> None:
    steps = quantized(weight, safe_column_scales(weight))
    for sign in (1, -1):
        worst = np.where(sign * steps.T > 0, 255, 0).astype(np.uint8)
        assert (product_without_vnni(worst, steps) == worst.astype(int) @ steps.astype(int)).all()


def test_with_the_finest_scales_they_are_not() -> None:
    weight = np.ones((64, 8), np.float32)
    steps, activations = quantized(weight, column_scales(weight)), np.full((4, 64), 255, np.uint8)
    assert (product_without_vnni(activations, steps) == 32 * 32767).all()
    assert (activations.astype(int) @ steps.astype(int) == 64 * 255 * 127).all()


def test_a_column_of_zeros_is_a_column_of_zeros() -> None:
    for scales in (column_scales(np.zeros((6, 2), np.float32)), safe_column_scales(np.zeros((6, 2), np.float32))):
        assert (scales > 0).all() and not quantized(np.zeros((6, 2), np.float32), scales).any()


def integer_product(weight: Any, activations: Any) -> Any:
    nodes = [helper.make_node("MatMulInteger", ["a", "w"], ["y"])]
    value = [
        helper.make_tensor_value_info("a", onnx.TensorProto.UINT8, ["m", len(weight)]),
        helper.make_tensor_value_info("y", onnx.TensorProto.INT32, ["m", weight.shape[1]]),
    ]
    graph = helper.make_graph(nodes, "g", value[:1], value[1:], [numpy_helper.from_array(weight, "w")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"a": activations})[0]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 70), st.integers(1, 20), st.booleans())
def test_products_with_safe_weights_are_exact_here(seed: int, k: int, rows: int, worst: bool) -> None:
    random = np.random.default_rng(seed)
    weight = random.standard_normal((k, 24)).astype(np.float32)
    steps = quantized(weight, safe_column_scales(weight))
    activations = np.where(steps[:, :1].T > 0, 255, 0).repeat(rows, 0) if worst else random.integers(0, 256, (rows, k))
    found = integer_product(steps, activations.astype(np.uint8))
    assert (found == activations.astype(int) @ steps.astype(int)).all()


@pytest.mark.skipif(not NO_VNNI, reason="this CPU has VNNI or is not x86-64: its products do not saturate")
def test_products_with_the_finest_scales_are_wrong_on_a_cpu_without_vnni() -> None:
    weight = np.ones((64, 8), np.float32)
    steps, activations = quantized(weight, column_scales(weight)), np.full((4, 64), 255, np.uint8)
    assert (integer_product(steps, activations) != activations.astype(int) @ steps.astype(int)).all()

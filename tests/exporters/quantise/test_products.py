"""One matrix product in each INT8 kernel: off by no more than rounding allows; and which are left."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from edgener_exporters.calibrate.calibration import Calibration
from edgener_exporters.calibrate.ranges import Range
from edgener_exporters.graph.graph import rewrite, weights_of
from edgener_exporters.graph.lint import lint
from edgener_exporters.graph.roles import Product, find_products
from edgener_exporters.graph.weights import safe_column_scales
from edgener_exporters.quantise.int8 import ProductKernel, decibels
from edgener_exporters.quantise.int8_dynamic import dynamic_product
from edgener_exporters.quantise.int8_qdq import quantize_qdq
from edgener_exporters.quantise.int8_rowwise import rowwise_kernel
from edgener_exporters.quantise.int8_static import quantize_static, static_kernel
from edgener_exporters.quantise.weight_only import blocks, quantize_weights, weight_only_product
from edgener_runtime.errors import UserInputError

from ..conftest import Encoder
from ..running import session_of

K, N = 64, 16
PRODUCT = Product("layer.0.query", "x", "w", "logits")


def product(kernel: ProductKernel, weight: Any) -> onnx.ModelProto:
    """logits = x @ weight in a kernel."""
    node = helper.make_node("MatMul", ["x", "w"], ["logits"], "product")
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", "sequence", size])
        for name, size in (("x", weight.shape[0]), ("logits", weight.shape[1]))
    ]
    graph = helper.make_graph([node], "product", ends[:1], ends[1:], [numpy_helper.from_array(weight, "w")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)
    rewrite(model, {"logits": kernel(PRODUCT, weights_of(model))})
    return model


def weight_of(seed: int) -> Any:
    return np.random.default_rng(seed).standard_normal((K, N)).astype(np.float32)


def error(kernel: ProductKernel, weight: Any, x: Any) -> Any:
    """By row, what the product is off by, over the product of the row's and the column's lengths."""
    found = session_of(product(kernel, weight)).run(["logits"], {"x": x[None]})[0][0]
    assert np.isfinite(found).all()
    exact = x.astype(np.float64) @ weight
    lengths = np.linalg.norm(x.astype(np.float64), axis=1)[:, None] * np.linalg.norm(weight, axis=0)
    return (np.abs(found - exact) / np.maximum(lengths, 1e-300)).max(axis=1)


def seen(x: Any) -> dict[str, Range]:
    return {"x": Range(float(x.min()), float(x.max()), float((x.astype(float) ** 2).mean()))}


def half_steps(x: Any, weight: Any, step: float) -> float:
    """What rounding activations by half a `step`, and weights by half of theirs, can come to in `error`."""
    rows = np.linalg.norm(x, axis=1).min()
    columns = np.linalg.norm(weight, axis=0)
    weights = safe_column_scales(weight) * math.sqrt(K)
    return float((step * math.sqrt(K) / rows * (1 + weights / columns) + weights / columns).max()) * 0.51


@settings(max_examples=15)
@given(st.integers(0, 10_000), st.integers(1, 5))
def test_dynamic_and_static_products_are_off_by_half_steps_of_the_range(seed: int, rows: int) -> None:
    weight, x = weight_of(seed), np.random.default_rng(seed + 1).standard_normal((rows, K)).astype(np.float32)
    most = half_steps(x, weight, float(x.max() - x.min()) / 255)
    for kernel in (dynamic_product, static_kernel(seen(x))):
        assert error(kernel, weight, x).max() <= most


@settings(max_examples=15)
@given(st.integers(0, 10_000), st.lists(st.floats(-12, 12), min_size=1, max_size=6), st.booleans())
def test_a_rowwise_product_is_as_good_for_rows_of_any_size_beside_each_other(
    seed: int, exponents: list[float], one_sided: bool
) -> None:
    x = np.random.default_rng(seed).standard_normal((len(exponents), K))
    x = (np.abs(x) if one_sided else x) * 10.0 ** np.array(exponents)[:, None]
    assert error(rowwise_kernel(seen(x)), weight_of(seed), x.astype(np.float32)).max() < 0.03


def test_a_dynamic_product_is_not() -> None:
    x = np.random.default_rng(0).standard_normal((2, K)) * [[1e-3], [1]]
    small, large = error(dynamic_product, weight_of(0), x.astype(np.float32))
    assert small > 0.1 > large


def test_a_row_of_zeros_is_a_row_of_zeros() -> None:
    x = np.zeros((2, K), np.float32)
    x[1] = 3
    for kernel in (dynamic_product, static_kernel(seen(x)), rowwise_kernel(seen(x)), weight_only_product):
        found = session_of(product(kernel, weight_of(0))).run(["logits"], {"x": x[None]})[0][0]
        assert not found[0].any() and found[1].any()


def test_a_static_product_cuts_off_what_lies_beyond_its_range_and_a_rowwise_one_does_not() -> None:
    x = np.random.default_rng(0).uniform(-1, 1, (3, K)).astype(np.float32)
    larger = 5 * x
    assert error(static_kernel(seen(x)), weight_of(0), larger).max() > 0.1
    assert error(rowwise_kernel(seen(x)), weight_of(0), larger).max() < 0.03


@given(st.integers(1, 100), st.integers(1, 5), st.sampled_from([32, 128]), st.integers(0, 1000))
def test_blocks_give_the_weight_back_to_half_a_step(k: int, n: int, block: int, seed: int) -> None:
    weight = np.random.default_rng(seed).standard_normal((k, n)).astype(np.float32)
    steps, scales = blocks(weight, block)
    assert steps.shape == (n, math.ceil(k / block), block) and steps.dtype == np.uint8
    assert scales.shape == (n * math.ceil(k / block),)
    by_block = scales.reshape(n, -1, 1)
    back = ((steps.astype(np.float32) - 128) * by_block).reshape(n, -1)
    padded = np.pad(weight.T, ((0, 0), (0, back.shape[1] - k)))
    assert (np.abs(back - padded).reshape(n, -1, block) <= 0.501 * by_block).all()


@pytest.mark.parametrize(("k", "block"), [(16, 32), (48, 32), (100, 128)])
def test_a_width_that_is_not_a_multiple_of_blocks_is_filled_up(k: int, block: int) -> None:
    random = np.random.default_rng(0)
    weight = random.standard_normal((k, N)).astype(np.float32)
    x = random.standard_normal((3, k)).astype(np.float32)
    kernel: ProductKernel = lambda product, weights: weight_only_product(product, weights, block)  # noqa: E731
    assert error(kernel, weight, x).max() < 0.02


# --- which products are quantised


def test_even_numbers_lose_48_decibels_of_255_steps_and_6_of_them_where_one_side_is_empty() -> None:
    assert decibels(Range(-1, 1, 1 / 3), symmetric=False) == pytest.approx(48.13, abs=0.01)
    assert decibels(Range(-1, 1, 1 / 3), symmetric=True) == pytest.approx(48.13, abs=0.01)
    assert decibels(Range(0, 1, 1 / 3), symmetric=False) == pytest.approx(54.15, abs=0.01)
    assert decibels(Range(0, 1, 1 / 3), symmetric=True) == pytest.approx(48.13, abs=0.01)


def test_a_tensor_of_zeros_does_not_divide_by_zero() -> None:
    assert math.isfinite(decibels(Range(0, 0, 0), symmetric=False))


class Planted(Calibration):
    """Sees what there is, but for the input of one product, which is small nearly always and large once."""

    def __init__(self, made: Encoder, role: str, planted: Range) -> None:
        super().__init__(made.calibration.texts, made.tokenizer)
        found = {product.role: product.input for product in find_products(onnx.load(made.fp32))}
        self._planted = {found[role]: planted}

    def ranges(self, model: Any, tensors: Sequence[str], method: str | None = None) -> dict[str, Range]:
        found = super().ranges(model, tensors, method)
        return found | {name: seen for name, seen in self._planted.items() if name in found}


NOISY = Range(-1000, 1000, 1.0)
Build = Callable[[Path, Path, Calibration], None]


def roles_left(file: Path, made: Encoder) -> set[str]:
    """The products of the encoder that still multiply by a weight that is not quantised."""
    products = {product.output: product.role for product in find_products(onnx.load(made.fp32)) if not product.is_head}
    graph = onnx.load(file).graph
    floats = {
        tensor.name for tensor in graph.initializer if tensor.data_type in (TensorProto.FLOAT, TensorProto.FLOAT16)
    }
    plain = {node.output[0] for node in graph.node if node.op_type == "MatMul" and node.input[1] in floats}
    return {role for output, role in products.items() if output in plain}


@pytest.mark.parametrize("quantize", [quantize_static, quantize_qdq])
def test_a_product_whose_input_would_drown_in_noise_is_left(quantize: Build, cased: Encoder, tmp_path: Path) -> None:
    role = "layer.1.feed_forward_2"
    quantize(cased.fp32, tmp_path / "plain.onnx", cased.calibration)
    assert roles_left(tmp_path / "plain.onnx", cased) == set()
    quantize(cased.fp32, tmp_path / "planted.onnx", Planted(cased, role, NOISY))
    assert roles_left(tmp_path / "planted.onnx", cased) == {role}


KEEPING = {
    "static": lambda fp32, out, calibration, keep: quantize_static(fp32, out, calibration, keep),
    "qdq": lambda fp32, out, calibration, keep: quantize_qdq(fp32, out, calibration, keep),
    "weight-only": lambda fp32, out, calibration, keep: quantize_weights(fp32, out, keep),
}


@pytest.mark.parametrize("name", KEEPING)
def test_products_are_kept_by_their_roles(name: str, cased: Encoder, tmp_path: Path) -> None:
    keep = ("layer.0.query", "layer.1.feed_forward_1")
    KEEPING[name](cased.fp32, tmp_path / "kept.onnx", cased.calibration, keep)
    assert roles_left(tmp_path / "kept.onnx", cased) == set(keep)


@pytest.mark.parametrize("name", KEEPING)
def test_a_role_that_there_is_not_is_refused_with_one_that_there_is(name: str, cased: Encoder, tmp_path: Path) -> None:
    with pytest.raises(UserInputError, match=r"no product layer\.9\.query") as caught:
        KEEPING[name](cased.fp32, tmp_path / "kept.onnx", cased.calibration, ("layer.9.query",))
    assert "layer.0.query" in str(caught.value.hint)
    assert list(tmp_path.iterdir()) == []


def test_int8_qdq_can_leave_the_rest_in_fp32(cased: Encoder, tmp_path: Path) -> None:
    quantize_qdq(cased.fp32, tmp_path / "qdq.onnx", cased.calibration, half=False)
    model = onnx.load(tmp_path / "qdq.onnx")
    assert lint(model) == []
    kinds = {tensor.data_type for tensor in model.graph.initializer}
    assert TensorProto.FLOAT16 not in kinds and TensorProto.INT8 in kinds

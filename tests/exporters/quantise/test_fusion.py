"""The forms for CPUs are fast because onnxruntime fuses each product to one integer kernel: here it does, for all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest

from edgener_exporters.quantise.int8 import encoder_products
from edgener_exporters.variants import VARIANTS
from edgener_runtime.machine.devices import CPU

from ..conftest import Encoder
from ..pairs import pairs
from ..running import operators_run
from ..test_builders import ARCHITECTURES, BUILT, build

pytestmark = pytest.mark.compat

# What products become in each form, and how many of them one kernel runs.
KERNELS = {
    "int8-dynamic": {"DynamicQuantizeMatMul": 1, "QAttention": 3},
    "int8-rowwise": {"MatMulIntegerToFloat": 1},
    "int8-static": {"MatMulIntegerToFloat": 1},
    "int8-weight-only": {"MatMulNBits": 1},
}
LEFT_OVER = ("MatMulInteger", "DequantizeLinear", "QLinearMatMul")


def products_run(ran: Counter[str], name: str) -> int:
    return sum(count * ran[kernel] for kernel, count in KERNELS[name].items())


def test_every_form_for_cpus_is_looked_at() -> None:
    assert set(KERNELS) == {name for name in BUILT if CPU in VARIANTS[name].requirements.providers}


@pytest.mark.parametrize(("name", "architecture"), pairs(list(KERNELS), ARCHITECTURES, shift=2))
def test_every_product_of_the_encoder_runs_in_one_integer_kernel(
    name: str, architecture: str, encoder: Callable[[str], Encoder], tmp_path: Path
) -> None:
    made = encoder(architecture)
    file = build(name, made, tmp_path / "variant.onnx")
    ran = operators_run(file, tmp_path, VARIANTS[name].disabled_optimizers)
    assert products_run(ran, name) == len(encoder_products(onnx.load(made.fp32)))
    assert not {operator: ran[operator] for operator in LEFT_OVER if ran[operator]}
    attentions = 2 * ran["Softmax"]  # scores and weighted values: products of two activations
    assert ran["MatMul"] + ran["FusedMatMul"] == attentions + 1  # and the classifier


def test_activations_that_several_products_read_are_quantised_once(cased: Encoder, tmp_path: Path) -> None:
    """Query, key and value read one tensor."""
    ran = operators_run(build("int8-dynamic", cased, tmp_path / "variant.onnx"), tmp_path)
    assert (ran["DynamicQuantizeLinear"], ran["QAttention"], ran["DynamicQuantizeMatMul"]) == (2, 2, 6)
    ran = operators_run(build("int8-rowwise", cased, tmp_path / "variant.onnx"), tmp_path)
    assert ran["QuantizeLinear"] == 2 * 4


def test_a_dynamic_product_whose_sums_have_another_reader_is_seen_to_stand_apart(
    cased: Encoder, tmp_path: Path
) -> None:
    graph = onnx.load(build("int8-dynamic", cased, tmp_path / "variant.onnx"))
    sums = next(node for node in graph.graph.node if node.op_type == "MatMulInteger").output[0]
    graph.graph.output.append(onnx.helper.make_tensor_value_info(sums, onnx.TensorProto.INT32, None))
    assert fused(graph, "int8-dynamic", tmp_path) == 11


@pytest.mark.parametrize("name", ["int8-rowwise", "int8-static"])
def test_a_product_whose_activation_is_not_quantised_is_seen_to_stand_apart(
    name: str, cased: Encoder, tmp_path: Path
) -> None:
    graph = onnx.load(build(name, cased, tmp_path / "variant.onnx"))
    before = next(node for node in graph.graph.node if node.op_type == "QuantizeLinear")
    steps = next(node for node in graph.graph.node if before.output[0] in node.input).output[0]
    product = next(node for node in graph.graph.node if node.op_type == "MatMul" and node.input[0] == steps)
    product.input[0] = before.input[0]
    assert fused(graph, name, tmp_path) == 11


def fused(graph: onnx.ModelProto, name: str, folder: Path) -> int:
    onnx.save(graph, folder / "changed.onnx")
    return products_run(operators_run(folder / "changed.onnx", folder), name)

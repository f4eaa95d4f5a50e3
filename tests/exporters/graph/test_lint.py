"""A fault that TensorRT would stop at is planted in a good graph; the lint must name the place and the way out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgener_exporters.graph.lint import RULES, check_for_tensorrt, lint
from edgener_exporters.quantise.int8_dynamic import quantize_dynamic
from edgener_exporters.variants import VARIANTS
from edgener_runtime.errors import ExportError
from edgener_runtime.machine.devices import TENSORRT

from ..conftest import Encoder
from ..test_builders import ARCHITECTURES, build

Model = onnx.ModelProto


def pair(scale: Any, zero: Any, opset: int = 19) -> Model:
    """y = x, quantised and back."""
    kind = helper.np_dtype_to_tensor_dtype(scale.dtype)
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["steps"], "quantise"),
        helper.make_node("DequantizeLinear", ["steps", "scale", "zero"], ["y"], "dequantise"),
    ]
    ends = [helper.make_tensor_value_info(name, kind, [2]) for name in "xy"]
    weights = [numpy_helper.from_array(scale, "scale"), numpy_helper.from_array(zero, "zero")]
    graph = helper.make_graph(nodes, "pair", ends[:1], ends[1:], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)


def good() -> Model:
    return pair(np.float16(0.5), np.int8(0))


def newer_opset(model: Model) -> None:
    model.opset_import[0].version = 21


def onnxruntimes_operator(model: Model) -> None:
    model.graph.node.append(helper.make_node("Gelu", ["y"], ["z"], "gelu", domain="com.microsoft"))


def dynamic_quantisation(model: Model) -> None:
    model.graph.node.append(helper.make_node("DynamicQuantizeLinear", ["y"], ["a", "b", "c"], "dynamic"))


def integer_product(model: Model) -> None:
    model.graph.node.append(helper.make_node("MatMulInteger", ["steps", "steps"], ["z"], "product"))


def replace(model: Model, name: str, array: Any) -> None:
    tensor = next(tensor for tensor in model.graph.initializer if tensor.name == name)
    tensor.CopyFrom(numpy_helper.from_array(array, name))


def unsigned(model: Model) -> None:
    replace(model, "zero", np.uint8(0))


def off_centre(model: Model) -> None:
    replace(model, "zero", np.int8(3))


def no_zero_point(model: Model) -> None:
    del model.graph.node[0].input[2]


def half_scale_in_old_opset(model: Model) -> None:
    model.opset_import[0].version = 17


def add(model: Model, array: Any) -> None:
    model.graph.initializer.append(numpy_helper.from_array(array, "extra"))


def large_index(model: Model) -> None:
    add(model, np.array([0, 2**31]))


def very_negative_index(model: Model) -> None:
    add(model, np.array([-(2**31) - 1]))


def large_index_in_a_constant_node(model: Model) -> None:
    value = numpy_helper.from_array(np.array(np.iinfo(np.int64).max))
    model.graph.node.append(helper.make_node("Constant", [], ["extra"], "constant", value=value))


def double_precision(model: Model) -> None:
    add(model, np.array([0.5]))


def unsigned_weight(model: Model) -> None:
    add(model, np.array([1], dtype=np.uint8))


def weight_elsewhere(model: Model) -> None:
    add(model, np.float32([1]))
    onnx.external_data_helper.set_external_data(model.graph.initializer[-1], "weights.bin")


def one_more_axis(model: Model) -> None:
    model.graph.input[0].type.tensor_type.shape.dim.add().dim_param = "width"


def one_axis_fixed(model: Model) -> None:
    del model.graph.input[0].type.tensor_type.shape.dim[:]
    for size in ("batch", 16):
        axis = model.graph.input[0].type.tensor_type.shape.dim.add()
        setattr(axis, "dim_value" if isinstance(size, int) else "dim_param", size)


# Fault, place, what is said of it, and a word of the way out.
FAULTS: list[tuple[Callable[[Model], None], str, str, str]] = [
    (newer_opset, "the graph", "opset 21", "opset 20"),
    (one_more_axis, "x", "its axes are (2, any)", "dynamic axes"),
    (one_axis_fixed, "x", "its axes are (any, 16)", "dynamic axes"),
    (onnxruntimes_operator, "gelu", "com.microsoft.Gelu", "fp32, fp16 or int8-qdq"),
    (dynamic_quantisation, "dynamic", "DynamicQuantizeLinear", "int8-qdq"),
    (integer_product, "product", "MatMulInteger", "int8-qdq"),
    (unsigned, "quantise", "UINT8, expected INT8", "int8-qdq"),
    (off_centre, "quantise", "Non-zero zero point", "symmetrically"),
    (no_zero_point, "quantise", "without a constant zero point", "zero point of 0"),
    (half_scale_in_old_opset, "quantise", "FP16 scale needs opset 19, found 17", "opset 19 or 20"),
    (large_index, "extra", "beyond 32 bits", "within 32 bits"),
    (very_negative_index, "extra", "beyond 32 bits", "within 32 bits"),
    (large_index_in_a_constant_node, "extra", "beyond 32 bits", "within 32 bits"),
    (double_precision, "extra", "DOUBLE", "FP32"),
    (unsigned_weight, "extra", "UINT8", "S8"),
    (weight_elsewhere, "extra", "another file", "save it as one file"),
]


@pytest.mark.parametrize(("plant", "where", "problem", "fix"), FAULTS, ids=[row[0].__name__ for row in FAULTS])
def test_a_planted_fault_is_found_with_its_place_and_the_way_out(
    plant: Callable[[Model], None], where: str, problem: str, fix: str
) -> None:
    model = good()
    assert lint(model) == []
    plant(model)
    found = lint(model)[0]
    assert found.where == where and problem in found.problem and fix in found.fix
    with pytest.raises(ExportError, match=f"TensorRT refuses {where}") as caught:
        check_for_tensorrt(model)
    assert fix in str(caught.value.hint)


def test_every_rule_has_a_planted_fault() -> None:
    models = [good() for _ in FAULTS]
    for model, (plant, *_) in zip(models, FAULTS, strict=True):
        plant(model)
    assert [rule.__name__ for rule in RULES if not any(list(rule(model)) for model in models)] == []


@pytest.mark.parametrize(("opset", "scale"), [(17, np.float32), (19, np.float32), (19, np.float16), (20, np.float16)])
def test_what_tensorrt_reads_passes(opset: int, scale: Any) -> None:
    check_for_tensorrt(pair(scale(0.5), np.int8(0), opset))


@pytest.mark.parametrize("index", [2**31 - 1, -(2**31)])
def test_the_last_numbers_of_32_bits_pass(index: int) -> None:
    model = good()
    add(model, np.array([index]))
    assert lint(model) == []


def test_several_faults_are_counted_behind_the_first() -> None:
    model = good()
    for plant in (newer_opset, unsigned, large_index):
        plant(model)
    with pytest.raises(ExportError, match=r"opset 21, .* \(and 4 more\)"):  # both nodes and the number itself are UINT8
        check_for_tensorrt(model)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize(
    "name", [name for name, variant in VARIANTS.items() if TENSORRT in variant.requirements.providers]
)
def test_the_forms_for_tensorrt_pass(
    name: str, architecture: str, encoder: Callable[[str], Encoder], tmp_path: Path
) -> None:
    made = encoder(architecture)
    file = build(name, made, tmp_path / "variant.onnx") if VARIANTS[name].build else made.fp32
    assert lint(onnx.load(file)) == []


def test_a_form_for_cpus_does_not(cased: Encoder, tmp_path: Path) -> None:
    quantize_dynamic(cased.fp32, tmp_path / "int8.onnx")
    problems = " ".join(finding.problem for finding in lint(onnx.load(tmp_path / "int8.onnx")))
    assert "DynamicQuantizeLinear is not among its operators" in problems


def test_int8_qdq_is_symmetric_with_half_scales(cased: Encoder, tmp_path: Path) -> None:
    """What the lint lets by, looked at from the other side: every pair, its scale and its zero point."""
    model = onnx.load(build("int8-qdq", cased, tmp_path / "qdq.onnx"))
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    pairs = [node for node in model.graph.node if node.op_type in ("QuantizeLinear", "DequantizeLinear")]
    assert len(pairs) == 2 * 8 + 12  # eight activations, twelve weights
    for node in pairs:
        scale, zero = (weights[name] for name in node.input[1:3])
        assert (scale.data_type, zero.data_type) == (TensorProto.FLOAT16, TensorProto.INT8)
        scales = numpy_helper.to_array(scale)
        assert (scales > 0).all() and np.isfinite(scales).all() and not numpy_helper.to_array(zero).any()

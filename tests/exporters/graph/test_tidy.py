"""What tracing leaves in a graph is replaced by what builders and TensorRT can use, with the same answers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgener_exporters.graph.graph import drop_unused
from edgener_exporters.graph.lint import lint
from edgener_exporters.graph.onnx import export_onnx
from edgener_exporters.graph.tidy import tidy

from ..running import logits_of

pytestmark = pytest.mark.compat

LARGEST = 2**63 - 1


def model_of(nodes: list[onnx.NodeProto], weights: dict[str, np.ndarray]) -> onnx.ModelProto:
    """A graph from x to logits, both FP32 (rows, columns)."""
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", "columns"]) for name in ("x", "logits")]
    tensors = [numpy_helper.from_array(array, name) for name, array in weights.items()]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)
    onnx.checker.check_model(model)
    return model


def answers(model: onnx.ModelProto) -> np.ndarray:
    found: np.ndarray = logits_of(model, {"x": np.arange(12, dtype=np.float32).reshape(3, 4)})
    return found


def test_a_weight_behind_identities_is_read_directly() -> None:
    nodes = [
        helper.make_node("Identity", ["w"], ["w2"]),
        helper.make_node("Identity", ["w2"], ["w3"]),
        helper.make_node("MatMul", ["x", "w2"], ["h"]),
        helper.make_node("MatMul", ["h", "w3"], ["logits"]),
    ]
    model = model_of(nodes, {"w": np.random.default_rng(0).standard_normal((4, 4)).astype(np.float32)})
    before = answers(model)
    tidy(model.graph)
    assert [node.input[1] for node in model.graph.node] == ["w", "w"]
    np.testing.assert_array_equal(answers(model), before)


def test_the_end_of_an_axis_stays_within_32_bits() -> None:
    nodes = [helper.make_node("Slice", ["x", "from", "to", "axes"], ["logits"])]
    bounds = {"from": np.array([1]), "to": np.array([LARGEST]), "axes": np.array([1])}
    model = model_of(nodes, bounds)
    before = answers(model)
    tidy(model.graph)
    assert lint(model) == []
    np.testing.assert_array_equal(answers(model), before)


def test_another_large_number_is_not_changed() -> None:
    nodes = [
        helper.make_node("Cast", ["n"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("Add", ["x", "f"], ["logits"]),
    ]
    model = model_of(nodes, {"n": np.array([2**40])})
    tidy(model.graph)
    assert [finding.problem for finding in lint(model)] == ["an INT64 number beyond 32 bits would be cut off"]


def test_what_a_branch_reads_is_not_dropped() -> None:
    """TorchScript functions of transformers 4.57's DeBERTa become If nodes, whose branches read tensors around them."""
    branches = [
        helper.make_graph(
            [helper.make_node(operator, ["x", "w"], [f"out/{operator}"])], operator, [],
            [helper.make_tensor_value_info(f"out/{operator}", TensorProto.FLOAT, None)],
        )
        for operator in ("Add", "Mul")
    ]  # fmt: skip
    nodes = [
        helper.make_node("ReduceSum", ["x"], ["sum"], keepdims=0),
        helper.make_node("Greater", ["sum", "zero"], ["positive"]),
        helper.make_node("If", ["positive"], ["logits"], then_branch=branches[0], else_branch=branches[1]),
    ]
    model = model_of(nodes, {"w": np.array([2], np.float32), "zero": np.array(0, np.float32)})
    before = answers(model)
    drop_unused(model.graph)
    np.testing.assert_array_equal(answers(model), before)


@pytest.mark.parametrize("architecture", ["deberta-v2", "modernbert", "mobilebert", "roformer"])
def test_tensorrt_would_accept_the_graph(
    architecture: str, make_checkpoint: Callable[..., Path], tmp_path: Path
) -> None:
    export_onnx(make_checkpoint(architecture), tmp_path / "fp32.onnx")
    assert lint(onnx.load(tmp_path / "fp32.onnx")) == []

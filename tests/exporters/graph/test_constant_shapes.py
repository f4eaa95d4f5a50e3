"""Reshapes whose targets are constants."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.reference
import pytest
import transformers
from onnx import TensorProto, helper, numpy_helper

from edgener_exporters.graph.constant_shapes import _target, use_constant_shapes
from edgener_exporters.graph.onnx import export_onnx

ARCHITECTURES = ("bert", "roberta", "distilbert", "electra")


@pytest.mark.parametrize(
    ("before", "after", "target"),
    [
        (["batch", "sequence", 384], ["batch", "sequence", 12, 32], [0, 0, 12, 32]),
        (["batch", "sequence", 12, 32], ["batch", "sequence", 384], [0, 0, 384]),
        (["batch", "sequence"], ["sequence", "batch"], None),
        (["batch", "sequence"], ["batch*sequence"], None),
        (["batch", 4], ["batch", 2, "half"], None),
        (None, ["batch"], None),
        (["batch"], None, None),
    ],
)
def test_a_target_is_known_where_each_dimension_is_a_number_or_the_input_s_own(
    before: list[str | int] | None, after: list[str | int] | None, target: list[int] | None
) -> None:
    assert _target(before, after) == target


def reshaping(axes: list[Any], width: int) -> Any:
    """`x` (batch, sequence, 8) put into a shape that is worked out from its own, by Shape, Gather and Concat."""
    nodes = [helper.make_node("Shape", ["x"], ["shape"])]
    constants = {"zero": np.array([0]), "one": np.array([1])} | {f"n{i}": np.array([i]) for i in range(2, 9)}
    parts = []
    for place, axis in enumerate(axes):
        if isinstance(axis, str):  # one of x's own
            nodes.append(helper.make_node("Gather", ["shape", axis], [f"part{place}"]))
            parts.append(f"part{place}")
        else:
            parts.append(f"n{axis}")
    nodes += [
        helper.make_node("Concat", parts, ["target"], axis=0),
        helper.make_node("Reshape", ["x", "target"], ["y"]),
    ]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", "sequence", width])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None] * len(axes))]
    tensors = [numpy_helper.from_array(value.astype(np.int64), name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "reshaping", inputs, outputs, tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)


def test_a_computed_target_that_is_known_becomes_a_constant() -> None:
    model = reshaping(["zero", "one", 2, 4], 8)
    assert use_constant_shapes(model) is None
    assert Counter(node.op_type for node in model.graph.node) == {"Reshape": 1}
    x = np.arange(2 * 3 * 8, dtype=np.float32).reshape(2, 3, 8)
    [y] = onnx.reference.ReferenceEvaluator(model).run(None, {"x": x})
    np.testing.assert_array_equal(y, x.reshape(2, 3, 2, 4))


def test_axes_that_change_places_stay_computed() -> None:
    model = reshaping(["one", "zero", 8], 8)
    use_constant_shapes(model)
    assert Counter(node.op_type for node in model.graph.node)["Concat"] == 1
    x = np.arange(2 * 3 * 8, dtype=np.float32).reshape(2, 3, 8)
    [y] = onnx.reference.ReferenceEvaluator(model).run(None, {"x": x})
    np.testing.assert_array_equal(y, x.reshape(3, 2, 8))


def test_a_graph_on_which_the_inference_fails_stays_as_it_is_and_is_noted() -> None:
    """The branch looks up an axis that its input does not have, as in the DeBERTa that transformers 4 traces."""
    outputs = [helper.make_tensor_value_info("branch", TensorProto.FLOAT, None)]
    nodes = [
        helper.make_node("ReduceSum", ["x"], ["number"], keepdims=0),
        helper.make_node("Gather", ["number", "zero"], ["branch"], axis=2),
    ]
    inside = helper.make_graph(nodes, "branch", [], outputs)
    model = reshaping(["zero", "one", 2, 4], 8)
    model.graph.node.append(helper.make_node("If", ["condition"], ["z"], then_branch=inside, else_branch=inside))
    model.graph.initializer.append(numpy_helper.from_array(np.array([True]), "condition"))
    before = model.SerializeToString()
    assert str(use_constant_shapes(model)).startswith("the graph computes its shapes at every run, which is slower")
    assert model.SerializeToString() == before


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_an_exported_encoder_computes_no_shapes_in_its_layers(
    architecture: str, make_checkpoint: Callable[..., Path], tmp_path: Path
) -> None:
    if architecture == "distilbert" and transformers.__version__ < "5":
        pytest.skip("the DistilBERT of transformers 4 widens its mask in every layer")
    export_onnx(make_checkpoint(architecture), tmp_path / "fp32.onnx")
    layers = [node for node in onnx.load(tmp_path / "fp32.onnx").graph.node if "/layer." in node.name]
    assert {"MatMul", "Reshape", "Transpose"} <= {node.op_type for node in layers}
    assert not {"Shape", "Concat", "Unsqueeze"} & {node.op_type for node in layers}

"""FP16 graphs in FP32 with FP16's numbers: step by step what numpy's half precision gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from edgener_exporters.quantise.fp16_emulation import round_to_fp16

Floats = NDArray[np.float32]


def half_graph(factor: float) -> onnx.ModelProto:
    """x to FP16, times a factor, divided by it again, and back to FP32."""
    nodes = [
        helper.make_node("Cast", ["x"], ["half"], "half/Cast", to=TensorProto.FLOAT16),
        helper.make_node("Mul", ["half", "factor"], ["large"], "large/Mul"),
        helper.make_node("Constant", [], ["divisor"], value=numpy_helper.from_array(np.float16(factor))),
        helper.make_node("Div", ["large", "divisor"], ["small"], "small/Div"),
        helper.make_node("Cast", ["small"], ["y"], "y/Cast", to=TensorProto.FLOAT),
    ]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n"]) for name in "xy"]
    weights = [numpy_helper.from_array(np.float16(factor), "factor")]
    graph = helper.make_graph(nodes, "half", ends[:1], ends[1:], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)


def run(model: onnx.ModelProto, values: Any) -> Floats:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
    answer: Floats = session.run(None, {"x": np.array(values, dtype=np.float32)})[0]
    return answer


def rounded(model: onnx.ModelProto) -> onnx.ModelProto:
    round_to_fp16(model)
    onnx.checker.check_model(model, full_check=True)
    return model


def test_beyond_65504_a_number_is_infinite_whatever_comes_behind() -> None:
    answer = run(rounded(half_graph(1000.0)), [60.0, 70.0, -70.0])
    assert answer.tolist() == [60.0, np.inf, -np.inf]


@given(st.lists(st.floats(-1e5, 1e5, width=32), min_size=1, max_size=8), st.sampled_from([0.1, 3.0, 1000.0]))
def test_every_step_is_rounded_as_half_precision_rounds(values: list[float], factor: float) -> None:
    with np.errstate(over="ignore"):
        half = np.array(values, dtype=np.float32).astype(np.float16)
        expected = (half * np.float16(factor) / np.float16(factor)).astype(np.float32)
    np.testing.assert_array_equal(run(rounded(half_graph(factor)), values), expected)


def test_no_fp16_is_left_but_between_two_casts() -> None:
    model = rounded(half_graph(3.0))
    assert all(tensor.data_type == TensorProto.FLOAT for tensor in model.graph.initializer)
    halves = {node.output[0] for node in model.graph.node if node.op_type == "Cast" and node.attribute[0].i == 10}
    readers = {node.op_type for node in model.graph.node if halves & set(node.input)}
    assert readers == {"Cast"}


def test_a_graph_without_fp16_answers_as_before() -> None:
    model = half_graph(3.0)
    for node in model.graph.node:
        if node.op_type == "Cast":
            node.attribute[0].i = TensorProto.FLOAT
    three = numpy_helper.from_array(np.float32(3.0), "factor")
    model.graph.initializer[0].CopyFrom(three)
    model.graph.node[2].attribute[0].t.CopyFrom(three)
    before = run(model, [1 / 3, 7e4])
    np.testing.assert_array_equal(run(rounded(model), [1 / 3, 7e4]), before)

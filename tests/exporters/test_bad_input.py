"""Other graphs than plain FP32 ones of BERT's family are bad input to every builder: an error, and nothing written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgener_exporters.variants import VARIANTS
from edgener_runtime.errors import UserInputError

from .conftest import Encoder
from .pairs import pairs
from .test_builders import BUILT, build

Maker = Callable[[Encoder, Path], None]


def saved(nodes: list[onnx.NodeProto], x: list[int | str], weights: dict[str, tuple[int, ...]], out: Path) -> None:
    """A graph from `x` to logits with random weights."""
    random = np.random.default_rng(0)
    arrays = {name: random.standard_normal(shape, np.float32) for name, shape in weights.items()}
    tensors = [numpy_helper.from_array(array, name) for name, array in arrays.items()]
    ends = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, x),
        helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", "labels"]),
    ]
    graph = helper.make_graph(nodes, "graph", ends[:1], ends[1:], tensors)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9), out)


def perceptron(made: Encoder, out: Path) -> None:
    nodes = [
        helper.make_node("MatMul", ["x", "w1"], ["a"]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("MatMul", ["b", "w2"], ["logits"]),
    ]
    saved(nodes, ["batch", 8], {"w1": (8, 16), "w2": (16, 5)}, out)


def perceptron_with_softmax(made: Encoder, out: Path) -> None:
    """A softmax is not attention."""
    nodes = [
        helper.make_node("MatMul", ["x", "w1"], ["a"]),
        helper.make_node("Softmax", ["a"], ["logits"]),
    ]
    saved(nodes, ["batch", 8], {"w1": (8, 16)}, out)


def residual_network(made: Encoder, out: Path) -> None:
    nodes = [
        helper.make_node("Conv", ["x", "k1"], ["a"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Conv", ["b", "k2"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("Add", ["c", "x"], ["d"]),
        helper.make_node("GlobalAveragePool", ["d"], ["e"]),
        helper.make_node("Flatten", ["e"], ["f"]),
        helper.make_node("MatMul", ["f", "w"], ["g"]),
        helper.make_node("Softmax", ["g"], ["logits"]),
    ]
    saved(nodes, ["batch", 3, 32, 32], {"k1": (3, 3, 3, 3), "k2": (3, 3, 3, 3), "w": (3, 5)}, out)


def unknown_operator(made: Encoder, out: Path) -> None:
    model = onnx.load(made.fp32)
    model.graph.node[5].op_type = "Flux"
    onnx.save(model, out)


def foreign_operator(made: Encoder, out: Path) -> None:
    model = onnx.load(made.fp32)
    softmax = next(node for node in model.graph.node if node.op_type == "Softmax")
    softmax.domain, softmax.op_type = "ai.example", "SoftmaxOne"
    model.opset_import.add(domain="ai.example", version=1)
    onnx.save(model, out)


def external_data(made: Encoder, out: Path) -> None:
    model = onnx.load(made.fp32)
    onnx.save(model, out, save_as_external_data=True, location=f"{out.name}.data", size_threshold=0)


def truncated(made: Encoder, out: Path) -> None:
    out.write_bytes(made.fp32.read_bytes()[:-1000])


def empty(made: Encoder, out: Path) -> None:
    out.write_bytes(b"")


def another_file(made: Encoder, out: Path) -> None:
    out.write_bytes((made.checkpoint / "model.safetensors").read_bytes())


def quantised(name: str) -> Maker:
    def make(made: Encoder, out: Path) -> None:
        build(name, made, out)

    make.__name__ = name
    return make


def fused(made: Encoder, out: Path) -> None:
    """As onnxruntime's optimiser writes it."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.optimized_model_filepath = str(out)
    onnxruntime.InferenceSession(str(made.fp32), options, ["CPUExecutionProvider"])


INPUTS: list[tuple[Maker, str]] = [
    (perceptron, "not an encoder: it has no attention"),
    (perceptron_with_softmax, "not an encoder: it has no attention"),
    (residual_network, "not an encoder: it has no attention"),
    (unknown_operator, "Flux"),
    (foreign_operator, r"not ONNX's own: ai\.example\.SoftmaxOne"),
    (external_data, r"bad\.onnx has \d+ weights in other files"),
    (truncated, r"bad\.onnx is damaged"),
    (empty, r"bad\.onnx is damaged"),
    (another_file, r"bad\.onnx is damaged"),
    (fused, r"not ONNX's own: com\.microsoft\."),
    (quantised("int8-dynamic"), "quantised already: it has DynamicQuantizeLinear"),
    (quantised("int8-static"), "quantised already: it has DequantizeLinear"),
    (quantised("int8-qdq"), "quantised already: it has DequantizeLinear"),
    (quantised("int8-weight-only"), r"com\.microsoft\.MatMulNBits"),
    (quantised("fp16"), r"FP16 already"),
]


@pytest.mark.parametrize(("bad", "name"), pairs(INPUTS, BUILT, name=lambda bad: bad[0].__name__))
def test_bad_input_is_said_to_be_so_and_nothing_is_written(
    bad: tuple[Maker, str], name: str, cased: Encoder, tmp_path: Path
) -> None:
    make, said = bad
    make(cased, tmp_path / "bad.onnx")
    before = sorted(tmp_path.iterdir())
    builder = VARIANTS[name].build
    assert builder is not None
    with pytest.raises(UserInputError, match=said) as caught:
        builder(tmp_path / "bad.onnx", tmp_path / "out.onnx", cased.calibration)
    assert caught.value.hint and "\n" not in caught.value.message
    assert sorted(tmp_path.iterdir()) == before


def test_a_graph_with_half_its_weights_in_fp16_is_refused_too(cased: Encoder, tmp_path: Path) -> None:
    model = onnx.load(cased.fp32)
    tensor = next(tensor for tensor in model.graph.initializer if len(tensor.dims) == 2)
    tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), tensor.name))
    onnx.save(model, tmp_path / "bad.onnx")
    with pytest.raises(UserInputError, match=r"bad\.onnx is in FP16 already: 1 of its weights"):
        VARIANTS["int8-dynamic"].build(tmp_path / "bad.onnx", tmp_path / "out.onnx", cased.calibration)  # type: ignore[misc]

"""Graphs of the operators, and layers with random weights to put into them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .reference import Floats, Layer, join, make_product


def random_layer(hidden: int, intermediate: int, seed: int = 0) -> Layer:
    """A layer with weights of a usual size."""
    random = np.random.default_rng(seed)

    def matrix(rows: int, columns: int) -> Floats:
        return (random.standard_normal((rows, columns)) / np.sqrt(columns)).astype(np.float32)

    def vector(size: int, centre: float = 0) -> Floats:
        return (centre + 0.1 * random.standard_normal(size)).astype(np.float32)

    def product(rows: int, columns: int) -> Any:
        return make_product(matrix(rows, columns), vector(rows))

    return Layer(
        join(*(product(hidden, hidden) for _ in range(3))),
        product(hidden, hidden),
        vector(hidden, 1),
        vector(hidden),
        product(intermediate, hidden),
        product(hidden, intermediate),
        vector(hidden, 1),
        vector(hidden),
    )


def layer_model(
    layers: Sequence[Layer], heads: int, epsilon: float = 1e-12, activation: str = "gelu", rotated: bool = False
) -> bytes:
    """An ONNX model of these layers one after the other, with the inputs x and offsets and the output y."""
    from onnx import TensorProto, helper, numpy_helper

    nodes, weights, at = [], [], "x"
    for number, layer in enumerate(layers):
        names = [f"layer{number}/{place}" for place in range(2, 18)]
        weights += [numpy_helper.from_array(a, name) for a, name in zip(layer.inputs(), names, strict=True)]
        to = "y" if number == len(layers) - 1 else f"layer{number}/y"
        attributes = {"heads": heads, "epsilon": epsilon, "activation": activation, "rotated": int(rotated)}
        nodes.append(helper.make_node("EncoderLayer", [at, "offsets", *names], [to], domain="edgener", **attributes))
        at = to
    hidden = len(layers[0].feed_forward_beta)
    graph = helper.make_graph(
        nodes,
        "layers",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", hidden]),
            helper.make_tensor_value_info("offsets", TensorProto.INT64, ["sequences + 1"]),
        ],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["rows", hidden])],
        weights,
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("edgener", 1)]
    return bytes(helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString())


def open_session(model: bytes, threads: int = 1) -> Any:
    """A session that knows the operators."""
    import onnxruntime

    import edgener_ops

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.register_custom_ops_library(str(edgener_ops.library_path()))
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def offsets_of(lengths: Sequence[int]) -> NDArray[np.int64]:
    """Where each sequence begins, and the last ends."""
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)

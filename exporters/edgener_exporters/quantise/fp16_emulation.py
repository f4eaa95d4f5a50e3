"""Emulation of FP16 graphs on a CPU: every number is rounded to half precision, and infinite beyond 65504.

onnxruntime's CPU provider has almost no FP16 kernels. It runs such nodes in FP32 and drops the casts between two of
them, which hides an overflow that is NaN on a GPU. It does not drop casts of an FP32 graph.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from edgener_exporters.graph.graph import Rewriting


def round_to_fp16(model: Any) -> None:
    """Convert a graph to FP32 that rounds each former FP16 tensor to half precision; other graphs stay unchanged."""
    import onnx

    fp16 = _fp16_outputs(model)
    for tensor in _fp16_constants(model):
        tensor.CopyFrom(_widened(tensor))
    changed = Rewriting()
    for node in model.graph.node:
        node.name += "/unrounded"  # the casts after it may take its name
        changed.nodes.append(node)
        for index, name in enumerate(node.output):
            if name in fp16 and node.op_type != "Constant":
                node.output[index] = f"{name}/unrounded"
                rounded = changed.node("Cast", [node.output[index]], f"{name}/half", to=onnx.TensorProto.FLOAT16)
                changed.node("Cast", [rounded], name, to=onnx.TensorProto.FLOAT)
    changed.replace_graph(model)


def _fp16_outputs(model: Any) -> set[str]:
    """The FP16 tensors that nodes write."""
    import onnx

    inferred = onnx.shape_inference.infer_shapes(model).graph
    values = (*inferred.value_info, *inferred.output)
    return {value.name for value in values if value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT16}


def _fp16_constants(model: Any) -> Iterator[Any]:
    """Every FP16 constant of the graph."""
    import onnx

    inside = (attribute.t for node in model.graph.node for attribute in node.attribute)
    tensors = (*model.graph.initializer, *inside)
    yield from (tensor for tensor in tensors if tensor.data_type == onnx.TensorProto.FLOAT16)


def _widened(tensor: Any) -> Any:
    import numpy as np
    from onnx import numpy_helper

    return numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float32), tensor.name)

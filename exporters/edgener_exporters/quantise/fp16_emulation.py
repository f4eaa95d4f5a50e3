"""FP16 graphs on a CPU as a GPU runs them: every number rounded to half precision, and infinite beyond 65504.

onnxruntime's CPU provider has next to no FP16 kernels. It runs such nodes in FP32 and drops the casts between two of
them, so an overflow that is NaN on a GPU goes unseen. Casts that stand in an FP32 graph it keeps.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from edgener_exporters.graph.graph import Rewriting


def round_to_fp16(model: Any) -> None:
    """Turn a graph into FP32 that rounds each tensor which was FP16 to what FP16 has; one without stays as it is."""
    import onnx

    halves = _half_outputs(model)
    for tensor in _half_constants(model):
        tensor.CopyFrom(_widened(tensor))
    changed = Rewriting()
    for node in model.graph.node:
        node.name += "/unrounded"  # the casts behind it may take its name
        changed.nodes.append(node)
        for place, name in enumerate(node.output):
            if name in halves and node.op_type != "Constant":
                node.output[place] = f"{name}/unrounded"
                rounded = changed.node("Cast", [node.output[place]], f"{name}/half", to=onnx.TensorProto.FLOAT16)
                changed.node("Cast", [rounded], name, to=onnx.TensorProto.FLOAT)
    changed.take_place(model)


def _half_outputs(model: Any) -> set[str]:
    """The FP16 tensors that nodes write."""
    import onnx

    inferred = onnx.shape_inference.infer_shapes(model).graph
    values = (*inferred.value_info, *inferred.output)
    return {value.name for value in values if value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT16}


def _half_constants(model: Any) -> Iterator[Any]:
    """Every FP16 tensor that stands in the graph."""
    import onnx

    inside = (attribute.t for node in model.graph.node for attribute in node.attribute)
    tensors = (*model.graph.initializer, *inside)
    yield from (tensor for tensor in tensors if tensor.data_type == onnx.TensorProto.FLOAT16)


def _widened(tensor: Any) -> Any:
    import numpy as np
    from onnx import numpy_helper

    return numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float32), tensor.name)

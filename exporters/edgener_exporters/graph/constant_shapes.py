"""Constant targets of Reshape: tracing computes them at every run, symbolic shape inference knows them before."""

from __future__ import annotations

import logging
from typing import Any

from edgener_exporters.libraries import reason_of
from edgener_runtime.backends.onnxruntime.library import load_onnxruntime

from .graph import drop_unused

COPY = 0  # in Reshape's target: the input's dimension at the same position
_COMPUTED = "the graph computes its shapes at every run, which is slower: onnxruntime's shape inference fails on it"

SymbolicShape = list[str | int]


def use_constant_shapes(model: Any) -> str | None:
    """Replace the computed target of each Reshape by a constant where symbolic shape inference knows it.

    The inference assumes that two axes of an addition have one size, so the graph must be checked afterwards. The
    answer is a note where the inference fails: the graph, which then stays as it is, is right but slower.
    """
    import numpy as np
    from onnx import numpy_helper

    try:
        shapes = _symbolic_shapes(model)
    except Exception as error:  # noqa: BLE001 - it raises exceptions of many kinds, such as on branches (If)
        return f"{_COMPUTED}: {reason_of(error)}"
    for node in model.graph.node:
        target = _target(shapes.get(node.input[0]), shapes.get(node.output[0])) if node.op_type == "Reshape" else None
        if target:
            name = f"{node.output[0]}/shape"
            model.graph.initializer.append(numpy_helper.from_array(np.array(target, dtype=np.int64), name))
            node.input[1] = name
    drop_unused(model.graph)
    return None


def _symbolic_shapes(model: Any) -> dict[str, SymbolicShape]:
    """The known dimensions of each value: numbers, or symbols of the inputs' dimensions."""
    load_onnxruntime()  # before its tools import it
    from onnxruntime.tools.symbolic_shape_infer import SymbolicShapeInference

    logging.getLogger(SymbolicShapeInference.__module__).setLevel(logging.ERROR)  # sizes that it cannot compare
    graph = SymbolicShapeInference.infer_shapes(model, auto_merge=True).graph
    return {
        value.name: [dimension.dim_param or dimension.dim_value for dimension in value.type.tensor_type.shape.dim]
        for value in (*graph.input, *graph.value_info, *graph.output)
    }


def _target(before: SymbolicShape | None, after: SymbolicShape | None) -> list[int] | None:
    """Reshape's target from the shapes around it, or None where a dimension is neither a number nor the input's."""
    if not before or not after:
        return None
    target = [
        size if isinstance(size, int) else COPY if axis < len(before) and size == before[axis] else None
        for axis, size in enumerate(after)
    ]
    return [size for size in target if size is not None] if None not in target else None

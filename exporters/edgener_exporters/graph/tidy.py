"""What tracing leaves in a graph although builders and other engines cannot use it; the answers stay the same."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .graph import drop_unused

_LARGEST = 2**31 - 1  # of TensorRT's indices


def tidy(graph: Any) -> None:
    """Read shared weights directly, and keep the bounds of slices within 32 bits."""
    _drop_identities(graph)
    _limit_slices(graph)


def _drop_identities(graph: Any) -> None:
    """Let each weight be read directly; tracing reads one that several layers share through Identity nodes."""
    originals = {tensor.name: tensor.name for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Identity" and node.input[0] in originals:
            originals[node.output[0]] = originals[node.input[0]]
        node.input[:] = [originals.get(name, name) for name in node.input]
    drop_unused(graph)


def _limit_slices(graph: Any) -> None:
    """Replace the largest 64-bit number, which tracing writes for the end of an axis, by the largest of 32 bits."""
    import numpy as np
    from onnx import numpy_helper

    bounds = {name for node in graph.node if node.op_type == "Slice" for name in node.input[1:3]}
    for name, tensor in _constants(graph):
        array = numpy_helper.to_array(tensor)
        if name in bounds and (np.abs(array) > _LARGEST).any():
            tensor.CopyFrom(numpy_helper.from_array(np.clip(array, -_LARGEST, _LARGEST), tensor.name))


def _constants(graph: Any) -> Iterator[tuple[str, Any]]:
    """Every constant by name: initialisers and the values of Constant nodes."""
    yield from ((tensor.name, tensor) for tensor in graph.initializer)
    for node in graph.node:
        if node.op_type == "Constant":
            yield from ((node.output[0], attribute.t) for attribute in node.attribute if attribute.name == "value")

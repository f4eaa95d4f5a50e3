"""ONNX graphs of BERT's family: opened with checks, and rewritten node by node."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from edgener_runtime.base.files import write_atomic
from edgener_runtime.errors import UserInputError

Emit = Callable[["Rewriting", Any], None]
"""Emits the replacement of a node."""

_QUANTISERS = {"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "MatMulInteger", "QLinearMatMul"}
_USE_FP32 = "Start from the FP32 graph that edgener exports."


def open_graph(file: Path) -> Any:
    """The ModelProto of a plain FP32 graph.

    Raises UserInputError for a damaged file, external weights, a quantised, fused or FP16 graph, and for operators
    outside ONNX.
    """
    import onnx

    try:
        model = onnx.load(file, load_external_data=False)
        outside = sum(onnx.external_data_helper.uses_external_data(tensor) for tensor in model.graph.initializer)
        if not outside:
            onnx.checker.check_model(str(file))
    except Exception as error:
        if isinstance(error, OSError):
            raise
        raise UserInputError(
            f"{file.name} is damaged or not ONNX: {str(error).splitlines()[0][:200]}", "Export it again: edgener export"
        ) from error
    if outside:
        raise UserInputError(
            f"{file.name} has {outside} weights in other files", "Save it as one file: onnx.save(onnx.load(FILE), NEW)"
        )
    _refuse_operators(file, model)
    _refuse_fp16(file, model)
    return model


def _refuse_operators(file: Path, model: Any) -> None:
    """Refuse quantised graphs, and operators outside ONNX, such as those of onnxruntime's optimisers."""
    import onnx

    found = {(node.domain, node.op_type) for node in model.graph.node}
    if quantised := sorted(kind for _, kind in found if kind in _QUANTISERS):
        raise UserInputError(f"{file.name} is quantised already: it has {', '.join(quantised)}", _USE_FP32)
    strange = sorted(
        f"{domain}.{kind}" if domain else kind for domain, kind in found if not onnx.defs.has(kind, domain)
    )
    if strange:
        raise UserInputError(f"{file.name} has operators that are not ONNX's own: {', '.join(strange)}", _USE_FP32)


def _refuse_fp16(file: Path, model: Any) -> None:
    from onnx import TensorProto

    kinds = [tensor.data_type for tensor in model.graph.initializer]
    if count := sum(kind in (TensorProto.FLOAT16, TensorProto.BFLOAT16) for kind in kinds):
        raise UserInputError(f"{file.name} is in FP16 already: {count} of its weights", _USE_FP32)


def copy_of(model: Any) -> Any:
    """A copy of a graph, to be changed."""
    copy = type(model)()
    copy.CopyFrom(model)
    return copy


def save_graph(model: Any, file: Path) -> None:
    """Write a graph whole or not at all; the same graph gives the same bytes."""
    write_atomic(file, model.SerializeToString(deterministic=True))


def weights_of(model: Any) -> dict[str, Any]:
    """The graph's initialisers by name."""
    return {tensor.name: tensor for tensor in model.graph.initializer}


def rewrite(model: Any, plan: Mapping[str, Emit]) -> None:
    """Replace nodes, named by their first output, by what `plan` emits; unused weights are removed.

    Raises KeyError for an unknown node.
    """
    changed = Rewriting()
    missing = set(plan) - {node.output[0] for node in model.graph.node}
    if missing:
        raise KeyError(f"no node writes {sorted(missing)}")
    for node in model.graph.node:
        if emit := plan.get(node.output[0]):
            emit(changed, node)
        else:
            changed.nodes.append(node)
    changed.replace_graph(model)


def drop_unused(graph: Any) -> None:
    """Remove the nodes whose outputs are not read, and the weights that only they read."""
    while unused := _unused(graph):
        for node in unused:
            graph.node.remove(node)
    read = _read(graph)
    used = [tensor for tensor in graph.initializer if tensor.name in read]
    del graph.initializer[:]
    graph.initializer.extend(used)


def _replace(field: Any, values: list[Any]) -> None:
    del field[:]
    field.extend(values)


def _unused(graph: Any) -> list[Any]:
    read = _read(graph)
    return [node for node in graph.node if not read & set(node.output)]


def _read(graph: Any) -> set[str]:
    """The tensors that a graph or a branch of it reads or returns."""
    found = {value.name for value in graph.output} | {name for node in graph.node for name in node.input}
    branches = (attribute.g for node in graph.node for attribute in node.attribute if attribute.HasField("g"))
    return found.union(*map(_read, branches))


class Rewriting:
    """The nodes and weights of a new graph; a name is emitted once."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.weights: dict[str, Any] = {}
        self._made: set[str] = set()

    def node(self, operator: str, inputs: list[str], output: str, domain: str = "", **attributes: Any) -> str:
        """Append a node with one output, and return its name."""
        return self.wide_node(operator, inputs, [output], domain, **attributes)

    def wide_node(
        self, operator: str, inputs: list[str], outputs: list[str], domain: str = "", **attributes: Any
    ) -> str:
        """Append a node with several outputs, and return the name of the first."""
        from onnx import helper

        if outputs[0] not in self._made:
            self._made.add(outputs[0])
            name = f"{outputs[0]}/{operator}"
            self.nodes.append(helper.make_node(operator, inputs, outputs, name, domain=domain or None, **attributes))
        return outputs[0]

    def weight(self, name: str, make: Callable[[], Any]) -> str:
        """Add an initialiser with the array of `make()`, and return its name."""
        from onnx import numpy_helper

        if name not in self.weights:
            self.weights[name] = numpy_helper.from_array(make(), name)
        return name

    def replace_graph(self, model: Any) -> None:
        """Replace the model's graph; weights that no node reads are removed."""
        graph = model.graph
        _replace(graph.node, self.nodes)
        read = _read(graph)
        weights = [tensor for tensor in (*graph.initializer, *self.weights.values()) if tensor.name in read]
        _replace(graph.initializer, weights)
        del graph.value_info[:]  # names of tensors that may no longer exist
        for domain in {node.domain for node in self.nodes} - {entry.domain for entry in model.opset_import} - {""}:
            model.opset_import.add(domain=domain, version=1)

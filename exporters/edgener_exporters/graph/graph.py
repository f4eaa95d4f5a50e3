"""ONNX graphs of BERT's family: read with care, looked at by role, rewritten node by node."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from edgener_runtime.base.files import write_atomic
from edgener_runtime.errors import UserInputError

Emit = Callable[["Rewriting", Any], None]
"""Emits nodes that take the place of one."""

_QUANTISERS = {"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "MatMulInteger", "QLinearMatMul"}
_START_AGAIN = "Start from the FP32 graph that edgener exports."


def open_graph(file: Path) -> Any:
    """The ModelProto of a plain FP32 graph.

    Raises UserInputError where it is damaged, keeps weights outside the file, is quantised, fused or in FP16 already,
    or has operators that ONNX does not know.
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
            f"{file.name} is damaged or no ONNX: {str(error).splitlines()[0][:200]}", "Export it again: edgener export"
        ) from error
    if outside:
        raise UserInputError(
            f"{file.name} keeps {outside} weights in other files", "Save it whole: onnx.save(onnx.load(FILE), NEW)"
        )
    _refuse_operators(file, model)
    _refuse_halves(file, model)
    return model


def _refuse_operators(file: Path, model: Any) -> None:
    """An already quantised graph, and operators outside ONNX (which onnxruntime's optimisers put in)."""
    import onnx

    found = {(node.domain, node.op_type) for node in model.graph.node}
    if quantised := sorted(kind for _, kind in found if kind in _QUANTISERS):
        raise UserInputError(f"{file.name} is quantised already: it has {', '.join(quantised)}", _START_AGAIN)
    strange = sorted(
        f"{domain}.{kind}" if domain else kind for domain, kind in found if not onnx.defs.has(kind, domain)
    )
    if strange:
        raise UserInputError(f"{file.name} has operators that are not ONNX's own: {', '.join(strange)}", _START_AGAIN)


def _refuse_halves(file: Path, model: Any) -> None:
    from onnx import TensorProto

    kinds = [tensor.data_type for tensor in model.graph.initializer]
    if halves := sum(kind in (TensorProto.FLOAT16, TensorProto.BFLOAT16) for kind in kinds):
        raise UserInputError(f"{file.name} is in FP16 already: {halves} of its weights", _START_AGAIN)


def copy_of(model: Any) -> Any:
    """The same graph once more, to be changed."""
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
    """Put what `plan` emits in the place of the nodes it names by their first output; unused weights go.

    Raises KeyError where the plan names a node that is not there.
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
    changed.take_place(model)


def drop_unused(graph: Any) -> None:
    """Remove the nodes whose outputs nobody reads any more, and the weights that only they read."""
    while unused := _unused(graph):
        for node in unused:
            graph.node.remove(node)
    read = _read(graph)
    kept = [tensor for tensor in graph.initializer if tensor.name in read]
    del graph.initializer[:]
    graph.initializer.extend(kept)


def _unused(graph: Any) -> list[Any]:
    read = _read(graph)
    return [node for node in graph.node if not read & set(node.output)]


def _read(graph: Any) -> set[str]:
    return {value.name for value in graph.output} | {name for node in graph.node for name in node.input}


class Rewriting:
    """The nodes and weights of a graph in the making; what has been made under a name is not made again."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.weights: dict[str, Any] = {}
        self._made: set[str] = set()

    def node(self, operator: str, inputs: list[str], output: str, domain: str = "", **attributes: Any) -> str:
        """Append a node with one output, and say its name."""
        return self.wide_node(operator, inputs, [output], domain, **attributes)

    def wide_node(
        self, operator: str, inputs: list[str], outputs: list[str], domain: str = "", **attributes: Any
    ) -> str:
        """Append a node with several outputs, and say the name of the first."""
        from onnx import helper

        if outputs[0] not in self._made:
            self._made.add(outputs[0])
            name = f"{outputs[0]}/{operator}"
            self.nodes.append(helper.make_node(operator, inputs, outputs, name, domain=domain or None, **attributes))
        return outputs[0]

    def weight(self, name: str, make: Callable[[], Any]) -> str:
        """An initialiser of the array that `make()` gives, and its name."""
        from onnx import numpy_helper

        if name not in self.weights:
            self.weights[name] = numpy_helper.from_array(make(), name)
        return name

    def take_place(self, model: Any) -> None:
        """Become the model's graph; weights that no node reads any more go."""
        graph = model.graph
        used = {name for node in self.nodes for name in node.input} | {value.name for value in graph.output}
        kept = [tensor for tensor in (*graph.initializer, *self.weights.values()) if tensor.name in used]
        for field, values in ((graph.node, self.nodes), (graph.initializer, kept)):
            del field[:]
            field.extend(values)
        del graph.value_info[:]  # names of tensors that may be gone
        for domain in {node.domain for node in self.nodes} - {entry.domain for entry in model.opset_import} - {""}:
            model.opset_import.add(domain=domain, version=1)

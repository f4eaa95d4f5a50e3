"""Graphs over ragged batches: sequences laid end to end, without padding and mask.

An encoder computes everything but attention row by row. Rows of several sequences can therefore stand one after the
other, where the operator with the attention gets the sequences' offsets, and each row has its position as an input.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from edgener_exporters.graph.graph import Rewriting, copy_of
from edgener_exporters.graph.roles import Embedding, find_embeddings
from edgener_runtime.backends.base import UNNUMBERED
from edgener_runtime.bundle.graph import IDS, OFFSETS, POSITIONS, TYPES
from edgener_runtime.errors import UserInputError

from .index import GraphIndex
from .lookups import Lookup, lookup_of

LOGITS = "logits"
_ROW_BY_ROW = {
    "Add", "Cast", "Constant", "Div", "Erf", "Gelu", "Identity", "LayerNormalization", "MatMul", "Mul", "Pow", "Relu",
    "Sub", "Tanh",
}  # fmt: skip


def over_ragged_batches(
    model: Any,
    middle: tuple[str, str],
    emit: Callable[[Rewriting], None],
    look_up: Callable[[Rewriting, Embedding], None],
) -> Any:
    """The open FP32 graph over rows: its embeddings and head, and what `emit` writes between them.

    `middle` is the input and the output of what `emit` computes; `look_up` writes the lookup of an embedding. Inputs
    are int64 `input_ids`, `position_ids` and, where they are read, `token_type_ids` (rows,), and `offsets` (sequences +
    1,). The output is float32 `logits` (rows, labels). Raises UserInputError where embeddings or head are not computed
    row by row.
    """
    graph, changed = GraphIndex(model), Rewriting()
    embeddings = {embedding.output: embedding for embedding in find_embeddings(model)}
    unnumbered: set[int] = set()
    for node in graph.upstream(middle[0], embeddings):
        if embedding := embeddings.get(node.output[0]):
            lookup = lookup_of(graph, embedding)
            _emit_lookup(changed, embedding, lookup, graph, look_up)
            unnumbered |= set() if lookup.unnumbered is None else {lookup.unnumbered}
        else:
            changed.nodes.append(_row_by_row(graph, node))
    emit(changed)
    for node in graph.upstream(LOGITS, middle[1:]):
        if node.output[0] != middle[1]:
            changed.nodes.append(_row_by_row(graph, node))
    ragged = copy_of(model)
    changed.replace_graph(ragged)
    _declare(ragged)
    for padding in unnumbered:
        ragged.metadata_props.add(key=UNNUMBERED, value=str(padding))
    return ragged


def _emit_lookup(
    changed: Rewriting, embedding: Embedding, lookup: Lookup, graph: GraphIndex,
    look_up: Callable[[Rewriting, Embedding], None],
) -> None:  # fmt: skip
    """The lookup of each row; a table of which one row is used becomes that row."""
    import numpy as np

    if lookup.input is None:
        table: Any = graph.array(embedding.table)
        changed.node(
            "Identity", [changed.weight(f"{embedding.table}/row", lambda: table[lookup.first])], embedding.output
        )
        return
    ids = lookup.input
    if lookup.first:
        first = changed.weight(f"{ids}/first/{lookup.first}", lambda: np.int64(lookup.first))
        ids = changed.node("Add", [ids, first], f"{ids}/from/{lookup.first}")
    look_up(changed, replace(embedding, ids=ids))


def _row_by_row(graph: GraphIndex, node: Any) -> Any:
    """The node itself, which computes each row of its input whatever dimensions stand before the last one."""
    axis = next((each.i for each in node.attribute if each.name == "axis"), -1)
    dimensions = [array.ndim for array in map(graph.array, node.input) if array is not None]
    plain = (
        dimensions == [2] and node.input[1] in graph.weights
        if node.op_type == "MatMul"
        else max(dimensions, default=0) < 2
    )
    if node.op_type not in _ROW_BY_ROW or axis != -1 or not plain:
        raise UserInputError(
            f"the graph does not compute {node.output[0]} row by row: {node.op_type}", "Leave the variant out."
        )
    return node


def _declare(model: Any) -> None:
    """Replace the declared inputs and output by those of rows."""
    from onnx import TensorProto, helper

    graph = model.graph
    read = {name for node in graph.node for name in node.input}
    labels = graph.output[0].type.tensor_type.shape.dim[2].dim_value
    sizes = {IDS: "rows", POSITIONS: "rows", TYPES: "rows", OFFSETS: "sequences + 1"}
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, [sizes[name]]) for name in sizes if name in read]
    del graph.input[:], graph.output[:]
    graph.input.extend(inputs)
    graph.output.append(helper.make_tensor_value_info(LOGITS, TensorProto.FLOAT, ["rows", labels]))

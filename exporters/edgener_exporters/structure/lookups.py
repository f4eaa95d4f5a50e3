"""What the tables of an encoder are looked up by: ids, token types, or positions, and where those begin.

What numbers the rows of a table of positions is found by running that part of the graph: BERT counts the columns of a
batch, RoBERTa the subwords that are not padding, from the row behind the padding's on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edgener_exporters.graph.roles import Embedding
from edgener_runtime.backends.onnxruntime.library import load_onnxruntime
from edgener_runtime.bundle.graph import IDS, MASK, POSITIONS, TYPES
from edgener_runtime.errors import UserInputError
from edgener_runtime.inference.ragged import numbered
from edgener_runtime.machine.devices import CPU

from .index import GraphIndex

_STEP = 3  # of the probes' ids, so that they are not taken for positions
_LENGTHS = (5, 9)  # of the probes
_HOLE = 2  # where a probe has padding


@dataclass(frozen=True)
class Lookup:
    """The input that numbers the rows of a table, none where it is always the same row, and the row of its 0.

    Subwords with the id `unnumbered` have no position of their own.
    """

    input: str | None
    first: int = 0
    unnumbered: int | None = None


def lookup_of(graph: GraphIndex, embedding: Embedding) -> Lookup:
    """What a table is looked up by. Raises UserInputError where it is none of these."""
    if embedding.ids in (IDS, TYPES):
        return Lookup(embedding.ids)
    starts = {_start(_rows(graph, embedding.ids, _probe(length))) for length in _LENGTHS}
    if len(starts) > 1 or None in starts:
        raise UserInputError(
            f"{embedding.table} is looked up neither by subwords, types nor positions", "Leave the variant out."
        )
    (start,) = starts
    if start is None or start.input is None or start.first == 0:
        return start or Lookup(None)
    return _with_padding(graph, embedding, start)


def _start(rows: Any) -> Lookup | None:
    """Rows that are all the same, or count up by one."""
    steps = {int(step) for step in rows[1:] - rows[:-1]}
    inputs = {0: None, 1: POSITIONS}
    step = steps.pop()
    return Lookup(inputs[step], int(rows[0])) if not steps and step in inputs else None


def _with_padding(graph: GraphIndex, embedding: Embedding, start: Lookup) -> Lookup:
    """Whether the id before the first row, which is the padding's in such encoders, has no position."""
    probe = _probe(_LENGTHS[1])
    probe[IDS][0, _HOLE] = padding = start.first - 1
    found = _rows(graph, embedding.ids, probe) - start.first
    if (found == numbered(probe[IDS][0], padding)).all():
        return Lookup(POSITIONS, start.first, padding)
    return start


def _probe(length: int) -> dict[str, Any]:
    """The inputs of one text; its types alternate and its ids are those of no padding."""
    import numpy as np

    row = np.arange(length, dtype=np.int64)[None]
    return {IDS: (row + 1) * _STEP, MASK: np.ones_like(row), TYPES: row % 2}


def _rows(graph: GraphIndex, name: str, probe: dict[str, Any]) -> Any:
    """What the graph computes of one text, as a vector."""
    from onnx import ValueInfoProto, helper

    onnxruntime = load_onnxruntime()
    nodes = graph.upstream(name)
    read = {each for node in nodes for each in node.input}
    inputs = [value for value in graph.model.graph.input if value.name in read]
    numbers = [tensor for each, tensor in graph.weights.items() if each in read]
    part = helper.make_graph(nodes, "rows", inputs, [ValueInfoProto(name=name)], numbers)
    model = helper.make_model(part, opset_imports=graph.model.opset_import, ir_version=graph.model.ir_version)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, [CPU])
    return session.run(None, {value.name: probe[value.name] for value in inputs})[0].reshape(-1)

"""What a graph says of itself, read from its ONNX file without onnx: inputs, outputs, tables, and weights elsewhere.

Weights are skipped, so that a graph of any size is read in milliseconds. The numbers are those of onnx.proto.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from .wire import Data, WireField, read_varint, wire_fields

IDS, MASK, TYPES = "input_ids", "attention_mask", "token_type_ids"
"""Inputs of a graph for padded batches, each (rows, subwords)."""
POSITIONS, OFFSETS = "position_ids", "offsets"
"""Further inputs of a graph for ragged batches: (subwords,), and (sequences + 1,)."""
OUTPUT = "logits"
FLOAT, INT64, FLOAT16 = 1, 7, 10  # of TensorProto.DataType
TYPE_NAMES = {
    1: "float32", 2: "uint8", 3: "int8", 5: "int16", 6: "int32", 7: "int64", 8: "string", 9: "bool", 10: "float16",
    11: "float64", 16: "bfloat16",
}  # fmt: skip
_LOCATION = b"location"  # the key that every tensor with data in another file has

# The fields of messages that hold tensors, or messages with tensors; None stands for a tensor.
_Fields = dict[int, "str | None"]
_MESSAGES: dict[str, _Fields] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: None, 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: None, 6: "graph", 10: None, 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: None, 2: None},
}
_MOST_LEVELS = 100  # of messages in messages, as of protobuf


@dataclass(frozen=True)
class GraphValue:
    """An input or output of a graph: its name, its type's number, and its sizes, None for any; () where unknown."""

    name: str
    type: int
    shape: tuple[int | None, ...]

    def __str__(self) -> str:
        sizes = ", ".join("any" if size is None else str(size) for size in self.shape)
        return f"{TYPE_NAMES.get(self.type, f'type {self.type}')} [{sizes}]"


@dataclass
class GraphInterface:
    """The inputs and outputs of a graph, the sizes of its weights by name, and its tensors in other files."""

    inputs: list[GraphValue] = field(default_factory=list)
    outputs: list[GraphValue] = field(default_factory=list)
    weights: dict[str, tuple[int, ...]] = field(default_factory=dict)
    elsewhere: list[str] = field(default_factory=list)


def read_interface(data: Data) -> GraphInterface:
    """The interface of an ONNX file's bytes. Raises ValueError where they are not a graph."""
    found, graphs = GraphInterface(), 0
    for part in wire_fields(data, 0, len(data)):
        if part.number == 7:
            graphs += 1
            _read_graph(data, part, found)
        elif part.number in _MESSAGES["model"]:
            _find_elsewhere(data, part, _MESSAGES["model"][part.number], found)
    if not graphs:
        raise ValueError("there is no graph in it")
    weights = found.weights.keys()
    found.inputs = [value for value in found.inputs if value.name not in weights]  # older files list weights too
    return found


def _read_graph(data: Data, graph: WireField, found: GraphInterface) -> None:
    for part in wire_fields(data, graph.start, graph.end):
        if part.number == 5:
            _read_weight(data, part, found)
        elif part.number == 11:
            found.inputs.append(_value(data, part))
        elif part.number == 12:
            found.outputs.append(_value(data, part))
        elif part.number in _MESSAGES["graph"]:
            _find_elsewhere(data, part, _MESSAGES["graph"][part.number], found)


def _read_weight(data: Data, tensor: WireField, found: GraphInterface) -> None:
    name, sizes, elsewhere = "", [], False
    for part in wire_fields(data, tensor.start, tensor.end):
        if part.number == 8:
            name = _text(data, part)
        elif part.number == 1:
            sizes += list(_numbers(data, part))
        elif part.number == 13 or (part.number == 14 and part.value):
            elsewhere = True
    found.weights[name] = tuple(sizes)
    if elsewhere:
        found.elsewhere.append(name)


def _find_elsewhere(data: Data, message: WireField, kind: str | None, found: GraphInterface) -> None:
    """Tensors in other files at any depth of a message; one without the key of their place is not walked through."""
    stack = [(message, kind, 0)]
    while stack:
        part, kind, level = stack.pop()
        if data.find(_LOCATION, part.start, part.end) < 0:
            continue
        if level > _MOST_LEVELS:
            raise ValueError(f"messages nested more than {_MOST_LEVELS} deep")
        if kind is None:
            _read_weight(data, part, found)
        else:
            inner = _MESSAGES[kind]
            fields = wire_fields(data, part.start, part.end)
            stack += [(each, inner[each.number], level + 1) for each in fields if each.number in inner]


def _value(data: Data, value: WireField) -> GraphValue:
    """A ValueInfoProto: name (1), type (2) with a tensor's (1) element type (1) and shape (2)."""
    name, number = "", 0
    shape: tuple[int | None, ...] = ()
    for part in wire_fields(data, value.start, value.end):
        if part.number == 1:
            name = _text(data, part)
        elif part.number == 2:
            for inner in _below(data, part, 1):
                if inner.number == 1:
                    number = inner.value
                elif inner.number == 2:
                    shape = tuple(_size(data, each) for each in wire_fields(data, inner.start, inner.end))
    return GraphValue(name, number, shape)


def _below(data: Data, message: WireField, number: int) -> Iterator[WireField]:
    for part in wire_fields(data, message.start, message.end):
        if part.number == number:
            yield from wire_fields(data, part.start, part.end)


def _size(data: Data, dimension: WireField) -> int | None:
    """The number (1) of a dimension, None where it has a name (2) or nothing."""
    sizes = [part.value for part in wire_fields(data, dimension.start, dimension.end) if part.number == 1]
    return sizes[-1] if sizes else None


def _numbers(data: Data, part: WireField) -> Iterator[int]:
    """A repeated number: one of them, or all of them packed."""
    if part.start == part.end:
        yield part.value
    at = part.start
    while at < part.end:
        number, at = read_varint(data, at, part.end)
        yield number


def _text(data: Data, part: WireField) -> str:
    return data[part.start : part.end].decode("utf-8", "replace")

"""The nodes of a graph by what they write and read."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from edgener_exporters.graph.graph import weights_of


class GraphIndex:
    """An open graph: its weights by name, and its nodes by their outputs and inputs."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.weights = weights_of(model)
        self._writers = {output: node for node in model.graph.node for output in node.output}
        self._readers: dict[str, list[Any]] = {}
        for node in model.graph.node:
            for name in node.input:
                self._readers.setdefault(name, []).append(node)

    def writer(self, name: str) -> Any | None:
        """The node that writes a tensor; None for weights and inputs."""
        return self._writers.get(name)

    def readers(self, name: str) -> list[Any]:
        """The nodes that read a tensor, in the graph's order."""
        return self._readers.get(name, [])

    def only_reader(self, name: str, operator: str) -> Any | None:
        """The one node that reads a tensor, where it is of this operator."""
        readers = self.readers(name)
        return readers[0] if len(readers) == 1 and readers[0].op_type == operator else None

    def upstream(self, name: str, stop: Collection[str] = ()) -> list[Any]:
        """The nodes that compute a tensor, in the graph's order, up to and with those that write one of `stop`."""
        found: set[str] = set()
        waiting = [name]
        while waiting:
            node = self.writer(waiting.pop())
            if node is not None and node.output[0] not in found:
                found.add(node.output[0])
                waiting += [] if node.output[0] in stop else node.input
        return [node for node in self.model.graph.node if node.output[0] in found]

    def array(self, name: str) -> Any | None:
        """A weight or constant as an array; None for what is computed."""
        from onnx import numpy_helper

        node = self.writer(name)
        tensor = node.attribute[0].t if node is not None and node.op_type == "Constant" else self.weights.get(name)
        return None if tensor is None else numpy_helper.to_array(tensor)

    def constant(self, name: str) -> list[float]:
        """The numbers of a constant vector or of a single number; empty for what is computed, or is a matrix."""
        array = self.array(name)
        numbers: list[float] = [] if array is None or array.ndim > 1 else array.ravel().tolist()
        return numbers

    def is_vector(self, name: str) -> bool:
        """Whether a name is that of a weight of one dimension."""
        return name in self.weights and len(self.weights[name].dims) == 1

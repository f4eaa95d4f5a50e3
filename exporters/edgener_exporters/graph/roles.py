"""The roles of matrix products, from the structure of the graph and not from the names of its nodes."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from edgener_runtime.errors import UserInputError

_AFTER_ATTENTION = ("attention_output", "feed_forward_1", "feed_forward_2")


@dataclass(frozen=True)
class Product:
    """A product of an activation (..., k) with a constant weight (k, n), by the names of its tensors."""

    role: str
    input: str
    weight: str
    output: str

    @property
    def is_head(self) -> bool:
        """Whether it belongs to the head and not to the encoder."""
        return self.role.startswith(("classifier", "head"))


@dataclass(frozen=True)
class Embedding:
    """A lookup in a constant table (rows, width), by the names of its tensors."""

    table: str
    ids: str
    output: str
    shape: tuple[int, int]


def find_products(model: Any) -> tuple[Product, ...]:
    """The products with weights in the graph's order: `layer.N.query`, `key`, `value`, `attention_output`,
    `feed_forward_1`, `feed_forward_2`, then `classifier`; `projection` before them in ELECTRA.

    Raises UserInputError where the graph is not an encoder of BERT's family.
    """
    wiring = _Wiring(model)
    if not wiring.softmaxes:
        raise _not_bert("it has no attention")
    roles = {}
    for layer, softmax in enumerate(wiring.softmaxes):
        for part, output in zip(("query", "key", "value"), wiring.attention_inputs(softmax), strict=True):
            roles[output] = f"layer.{layer}.{part}"
    roles |= {output: role for role, output in _name_rest(wiring, roles.keys())}
    return tuple(_product(roles[output], wiring.products[output]) for output in wiring.products)


def find_embeddings(model: Any) -> tuple[Embedding, ...]:
    """The lookups in constant tables of vectors, in the graph's order."""
    tables = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer if _is_float_matrix(tensor)}
    return tuple(
        Embedding(node.input[0], node.input[1], node.output[0], tables[node.input[0]])
        for node in model.graph.node
        if node.op_type == "Gather" and node.input[0] in tables
    )


def _product(role: str, node: Any) -> Product:
    return Product(role, node.input[0], node.input[1], node.output[0])


def _name_rest(wiring: _Wiring, named: Collection[str]) -> Iterator[tuple[str, str]]:
    """Roles of the products other than query, key and value, by the attention before them."""
    before, *layers = wiring.between_attentions(named)
    yield from (("projection", output) for output in before)
    for layer, found in enumerate(layers):
        head = found[3:]
        if len(found) < 3 or (head and layer < len(layers) - 1) or not wiring.is_feed_forward(*found[1:3]):
            raise _not_bert(f"after attention {layer} come {len(found)} products that are not a feed-forward layer")
        yield from ((f"layer.{layer}.{part}", output) for part, output in zip(_AFTER_ATTENTION, found, strict=False))
        yield from ((f"head.{i}" if i else "classifier", output) for i, output in enumerate(reversed(head)))


class _Wiring:
    """The graph by outputs: products with weights, products of activations, and softmaxes."""

    def __init__(self, model: Any) -> None:
        self._weights = {tensor.name: tensor for tensor in model.graph.initializer if _is_float_matrix(tensor)}
        self._writers = {output: node for node in model.graph.node for output in node.output}
        products = [node for node in model.graph.node if node.op_type == "MatMul"]
        self.products = {node.output[0]: node for node in products if node.input[1] in self._weights}
        self._scores = {node.output[0]: node for node in products if node.output[0] not in self.products}
        self.softmaxes = [node.output[0] for node in model.graph.node if node.op_type == "Softmax"]

    def attention_inputs(self, softmax: str) -> tuple[str, str, str]:
        """The products for query, key and value of an attention."""
        scores = self._only(self._upstream(self._writers[softmax].input, self._scores.keys()), softmax)
        query, key = (self._nearest(name) for name in self._scores[scores].input)
        for context in self._scores.values():
            sides = [self._upstream([name], self._scores.keys() | set(self.softmaxes)) for name in context.input]
            if softmax in sides[0]:
                return query, key, self._nearest(context.input[1])
        raise _not_bert(f"nothing is weighted by {softmax}")

    def between_attentions(self, named: Collection[str]) -> list[list[str]]:
        """The unnamed products: before the first softmax, after it, after the second ..."""
        groups: list[list[str]] = [[]]
        for output in self._writers:
            if output in self.softmaxes:
                groups.append([])
            elif output in self.products and output not in named:
                groups[-1].append(output)
        return groups

    def is_feed_forward(self, first: str, second: str) -> bool:
        """Whether the first product widens and the second restores the width."""
        shapes = [tuple(self._weights[self.products[output].input[1]].dims) for output in (first, second)]
        return shapes[0] == shapes[1][::-1]

    def _nearest(self, name: str) -> str:
        return self._only(self._upstream([name], self.products.keys()), name)

    def _only(self, found: set[str], where: str) -> str:
        if len(found) != 1:
            raise _not_bert(f"{len(found)} products lead to {where}, expected one")
        return next(iter(found))

    def _upstream(self, names: Any, stop: Any) -> set[str]:
        """The nearest tensors among `stop` upstream of `names`, except through Shape nodes."""
        found, seen, waiting = set(), set(), list(names)
        while waiting:
            name = waiting.pop()
            if name in stop:
                found.add(name)
            elif name in self._writers and name not in seen and self._writers[name].op_type != "Shape":
                seen.add(name)
                waiting.extend(self._writers[name].input)
        return found


def _is_float_matrix(tensor: Any) -> bool:
    import onnx

    return tensor.data_type in (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16) and len(tensor.dims) == 2


def _not_bert(found: str) -> UserInputError:
    return UserInputError(f"the graph is not an encoder of BERT's family: {found}", "Export one with: edgener export")

"""The roles of matrix products, from the structure of the graph and not from the names of its nodes."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from edgener_runtime.errors import UserInputError

_AFTER_ATTENTION = ("attention_output", "feed_forward_1", "feed_forward_2")
_INTO_ATTENTION = {1: ("query_key_value",), 3: ("query", "key", "value")}  # by the number of products


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
    """The products of activations with weights in the graph's order.

    In layers like BERT's: `layer.N.query`, `key`, `value` (or `query_key_value`), `attention_output`, `feed_forward_1`,
    `feed_forward_2`, then `classifier`; `projection` before them in ELECTRA, `head.N` behind them in ModernBERT. In
    other layers: `product.N` and `classifier`. Raises UserInputError where the graph is not an encoder.
    """
    wiring = _Wiring(model)
    if not wiring.attentions:
        raise UserInputError("the graph is not an encoder: it has no attention", "Export one with: edgener export")
    roles = _roles_like_bert(wiring) or _numbered_roles(wiring)
    return tuple(
        Product(roles[output], node.input[0], node.input[1], output) for output, node in wiring.products.items()
    )


def find_embeddings(model: Any) -> tuple[Embedding, ...]:
    """The lookups in constant tables of vectors, in the graph's order."""
    tables = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer if _is_float_matrix(tensor)}
    return tuple(
        Embedding(node.input[0], node.input[1], node.output[0], tables[node.input[0]])
        for node in model.graph.node
        if node.op_type == "Gather" and node.input[0] in tables
    )


def _roles_like_bert(wiring: _Wiring) -> dict[str, str] | None:
    """The roles by output, or None where a layer is built otherwise."""
    roles: dict[str, str] = {}
    for layer, attention in enumerate(wiring.attentions):
        products = wiring.attention_inputs(attention)
        if len(products) not in _INTO_ATTENTION or roles.keys() & set(products):
            return None
        parts = zip(_INTO_ATTENTION[len(products)], products, strict=True)
        roles |= {output: f"layer.{layer}.{part}" for part, output in parts}
    before, *layers = wiring.between_attentions(roles.keys())
    roles |= dict.fromkeys(before, "projection")
    for layer, found in enumerate(layers):
        head = found[len(_AFTER_ATTENTION) :]
        if len(found) < len(_AFTER_ATTENTION) or not wiring.is_feed_forward(*found[1:3]):
            return None
        if head and layer < len(layers) - 1:
            return None
        roles |= {output: f"layer.{layer}.{part}" for part, output in zip(_AFTER_ATTENTION, found, strict=False)}
        roles |= {output: f"head.{i}" if i else "classifier" for i, output in enumerate(reversed(head))}
    return roles if len(before) < 2 and "classifier" in roles.values() else None


def _numbered_roles(wiring: _Wiring) -> dict[str, str]:
    """A number for every product but the classifier, which is the last before the logits."""
    *encoder, classifier = wiring.products
    return {output: f"product.{number}" for number, output in enumerate(encoder)} | {classifier: "classifier"}


class _Wiring:
    """The graph by outputs: products of activations with weights, and the softmaxes that weight values."""

    def __init__(self, model: Any) -> None:
        self._weights = {tensor.name: tensor for tensor in model.graph.initializer if _is_float_matrix(tensor)}
        self._writers = {output: node for node in model.graph.node for output in node.output}
        computed = _computed(model.graph)
        products = [node for node in model.graph.node if node.op_type == "MatMul" and computed & set(node.input)]
        self.products = {node.output[0]: node for node in products if node.input[1] in self._weights}
        softmaxes = {node.output[0] for node in model.graph.node if node.op_type == "Softmax"}
        contexts = [node for node in products if node.output[0] not in self.products]
        self.attentions = {
            softmax: node
            for node in contexts
            for softmax in self._upstream([node.input[0]], softmaxes | self.products.keys()) & softmaxes
        }
        """By softmax: the product of what it writes with the values."""

    def attention_inputs(self, softmax: str) -> list[str]:
        """The products for query, key and value of an attention, in the graph's order."""
        scored = self._upstream(self._writers[softmax].input, self.products.keys())
        value = self._upstream([self.attentions[softmax].input[1]], self.products.keys())
        in_order = [output for output in self.products if output in scored - value]
        return in_order + [output for output in self.products if output in value]

    def between_attentions(self, named: Collection[str]) -> list[list[str]]:
        """The unnamed products: before the first softmax, after it, after the second ..."""
        groups: list[list[str]] = [[]]
        for output in self._writers:
            if output in self.attentions:
                groups.append([])
            elif output in self.products and output not in named:
                groups[-1].append(output)
        return groups

    def is_feed_forward(self, first: str, second: str) -> bool:
        """Whether the second product restores the width that the first reads."""
        shapes = [tuple(self._weights[self.products[output].input[1]].dims) for output in (first, second)]
        return bool(shapes[0][0] == shapes[1][1])

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


def _computed(graph: Any) -> set[str]:
    """The tensors that depend on the inputs' values; onnxruntime computes the others once, as the graph is loaded."""
    weights = {tensor.name for tensor in graph.initializer}
    found = {value.name for value in graph.input} - weights
    for node in graph.node:
        if node.op_type != "Shape" and found & set(node.input):
            found |= set(node.output)
    return found


def _is_float_matrix(tensor: Any) -> bool:
    import onnx

    return tensor.data_type in (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16) and len(tensor.dims) == 2

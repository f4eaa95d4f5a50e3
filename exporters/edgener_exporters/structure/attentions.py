"""The layers with plain attention: the products for query, key and value, and where their attention ends."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from edgener_exporters.graph.roles import Product, find_products

from .index import GraphIndex

MASK = "attention_mask"
_SPLIT, _MERGED = 4, 3  # axes of an activation with heads, and without
# What makes a mask of scores out of the attention mask; comparisons of positions are not among it.
_OF_A_MASK = {
    "Cast", "Concat", "Constant", "ConstantOfShape", "Equal", "Expand", "Gather", "Mul", "Not", "Reshape", "Shape",
    "Slice", "Sub", "Unsqueeze", "Where",
}  # fmt: skip


@dataclass(frozen=True)
class Attention:
    """The attention of one layer: its query, key and value products, their biases, its output, and its heads."""

    products: tuple[Product, ...]
    biases: tuple[str, ...]
    output: str
    heads: int


def find_attentions(model: Any) -> Iterator[Attention]:
    """The layers with plain attention: softmax(query key / sqrt(size of a head) + mask of the padding) value.

    Anything between, such as rotary or relative positions, or a mask that differs by query, is another function, and
    such a layer is left out; so is one with a product without bias, or with a number of heads that is not constant.
    """
    products = {product.output: product for product in find_products(model)}
    graph = _AttentionIndex(model)
    for node in model.graph.node:
        if node.op_type == "Softmax" and (found := _attention_of(graph, node, products)):
            yield found


def _attention_of(graph: _AttentionIndex, softmax: Any, products: Mapping[str, Product]) -> Attention | None:
    """The plain attention around a softmax, or None."""
    scores, scale = graph.unscaled(graph.without_mask(softmax.input[0]))
    context = graph.only_reader(softmax.output[0], "MatMul")
    if scores is None or scores.op_type != "MatMul" or context is None or context.input[0] != softmax.output[0]:
        return None
    split = [graph.split_heads(name) for name in (*scores.input, context.input[1])]
    parts = [part for part in split if part is not None and part.product in products]
    merged = graph.merged_heads(context.output[0])
    if merged is None or len(parts) < len(split) or len({(part.heads, part.size) for part in parts}) > 1:
        return None
    three = tuple(products[part.product] for part in parts)
    scale *= math.prod(part.scale for part in parts[:2])
    plain = math.isclose(scale, 1 / math.sqrt(parts[0].size), rel_tol=1e-4) and parts[2].scale == 1
    if not plain or len({product.input for product in three}) > 1:
        return None
    return Attention(three, tuple(part.bias for part in parts), merged, parts[0].heads)


@dataclass(frozen=True)
class _Heads:
    """A biased product that is split into heads: the product's output, the bias, heads and their size, and a factor."""

    product: str
    bias: str
    heads: int
    size: int
    scale: float


class _AttentionIndex(GraphIndex):
    """The nodes around a softmax."""

    def merged_heads(self, name: str) -> str | None:
        """The value whose heads stand side by side again, where nothing else reads the value with heads."""
        node = self.only_reader(name, "Transpose")
        node = node and self.only_reader(node.output[0], "Reshape")
        return str(node.output[0]) if node and len(self.constant(node.input[1])) == _MERGED else None

    def without_mask(self, name: str) -> str:
        """The scores before the mask of the padding was added or filled in."""
        node = self.writer(name)
        if node is not None and node.op_type == "Add":
            for scores, mask in (node.input, reversed(node.input)):
                if self._hides_padding(mask):
                    return str(scores)
        if node is not None and node.op_type == "Where" and self._hides_padding(node.input[0]):
            return str(next((name for name in node.input[1:] if not self.constant(name)), ""))
        return ""

    def _hides_padding(self, name: str) -> bool:
        """Whether a tensor depends on the attention mask alone, and on the same position for every query."""
        seen, waiting, leaves = set(), [name], set()
        while waiting:
            name = waiting.pop()
            node = self.writer(name)
            if node is None and name not in self.weights:
                leaves.add(name)
            elif node is None and len(self.weights[name].dims) > 1:
                return False
            elif node is not None and name not in seen:
                if node.op_type not in _OF_A_MASK:
                    return False
                seen.add(name)
                waiting += [] if node.op_type == "Shape" else node.input
        return leaves == {MASK}

    def unscaled(self, name: str) -> tuple[Any | None, float]:
        """The node before multiplications with single numbers, and their product."""
        node, scale = self.writer(name), 1.0
        while node is not None and node.op_type in ("Mul", "Div") and len(self.constant(node.input[1])) == 1:
            (factor,) = self.constant(node.input[1])
            scale *= factor if node.op_type == "Mul" else 1 / factor
            node = self.writer(node.input[0])
        return node, scale

    def split_heads(self, name: str) -> _Heads | None:
        """The product behind transposes, the split into heads and the bias, or None where anything else is between."""
        target: list[float] = []
        node, scale = self.unscaled(name)
        while node is not None and node.op_type in ("Transpose", "Reshape"):
            if node.op_type == "Reshape":
                target = self.constant(node.input[1])
            node, factor = self.unscaled(node.input[0])
            scale *= factor
        if node is None or node.op_type != "Add" or len(target) != _SPLIT or min(target[2:]) < 1:
            return None
        for product, bias in (node.input, reversed(node.input)):
            if self.is_vector(bias):
                return _Heads(product, bias, int(target[2]), int(target[3]), scale)
        return None

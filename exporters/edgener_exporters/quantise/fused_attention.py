"""A layer's query, key and value products and its attention as one operator, for dynamic INT8 on CPUs.

onnxruntime's QAttention needs no transposes and one dispatch instead of a dozen; benchmarks/NOTES.md has the gain. It
computes the same as the products and the attention that it replaces.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from edgener_exporters.graph.graph import Emit, Rewriting
from edgener_exporters.graph.roles import Product, find_products
from edgener_exporters.graph.weights import quantized, safe_column_scales

MASK = "attention_mask"


@dataclass(frozen=True)
class Attention:
    """The attention of one layer: its query, key and value products, their biases, its output, and its heads."""

    products: tuple[Product, ...]
    biases: tuple[str, ...]
    output: str
    heads: int


def find_attentions(model: Any) -> Iterator[Attention]:
    """The layers with plain attention: each product has a bias, and the heads have a constant size.

    There are none where attention is more than scores and weighted values, such as relative positions: QAttention does
    not support that.
    """
    products = {product.role: product for product in find_products(model)}
    layers = sum(role.endswith(".query") for role in products)
    if _products_of_activations(model) != 2 * layers:
        return
    biases, heads = dict(_biases(model)), dict(_heads(model))
    for layer in range(layers):
        three = [products[f"layer.{layer}.{part}"] for part in ("query", "key", "value")]
        added = [biases[product.output] for product in three if product.output in biases]
        counts = [heads[total] for _, total in added if total in heads]
        if len(counts) == len(three) and len(set(counts)) == 1:
            names = tuple(vector for vector, _ in added)
            yield Attention(tuple(three), names, products[f"layer.{layer}.attention_output"].input, counts[0])


def fused(attention: Attention, weights: dict[str, Any]) -> Emit:
    """The replacement of the node that writes an attention's output."""

    def emit(changed: Rewriting, node: Any) -> None:
        import numpy as np
        from onnx import TensorProto, numpy_helper

        at, to = attention.products[0].input, attention.output
        arrays = [numpy_helper.to_array(weights[product.weight]) for product in attention.products]
        matrix = np.concatenate(arrays, axis=1)
        scales = safe_column_scales(matrix)
        bias = np.concatenate([numpy_helper.to_array(weights[name]) for name in attention.biases])
        scale, zero = f"{at}/scale", f"{at}/zero_point"
        rows = changed.wide_node("DynamicQuantizeLinear", [at], [f"{at}/uint8", scale, zero])
        inputs = [
            rows,
            changed.weight(f"{to}/weight/int8", lambda: quantized(matrix, scales)),
            changed.weight(f"{to}/weight/bias", lambda: bias),
            scale,
            changed.weight(f"{to}/weight/scale", lambda: scales),
            changed.node("Cast", [MASK], f"{MASK}/int32", to=TensorProto.INT32),
            zero,
            changed.weight("int8/zero", lambda: np.array(0, dtype=np.int8)),
        ]
        changed.node("QAttention", inputs, to, domain="com.microsoft", num_heads=attention.heads)

    return emit


def _products_of_activations(model: Any) -> int:
    weights = {tensor.name for tensor in model.graph.initializer}
    return sum(
        node.op_type == "Einsum" or (node.op_type == "MatMul" and not weights & set(node.input))
        for node in model.graph.node
    )


def _biases(model: Any) -> Iterator[tuple[str, tuple[str, str]]]:
    """By the value with a bias: the vector of weights, and the sum."""
    vectors = {tensor.name for tensor in model.graph.initializer if len(tensor.dims) == 1}
    for node in model.graph.node:
        if node.op_type == "Add":
            for value, vector in (node.input, reversed(node.input)):
                if vector in vectors:
                    yield value, (vector, node.output[0])


def _heads(model: Any) -> Iterator[tuple[str, int]]:
    """By the value that a Reshape splits into heads: their number, where its target is a constant of four."""
    from onnx import numpy_helper

    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Reshape" and node.input[1] in tensors:
            target = numpy_helper.to_array(tensors[node.input[1]])
            if len(target) == 4:
                yield node.input[0], int(target[2])

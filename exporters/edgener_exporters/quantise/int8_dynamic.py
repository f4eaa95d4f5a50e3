"""Dynamic INT8: one scale per channel of weights, activations quantised at run time with one range per tensor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgener_exporters.graph.graph import Emit, Rewriting, open_graph, weights_of
from edgener_exporters.graph.roles import Product
from edgener_exporters.structure.attentions import find_attentions

from .fused_attention import fused
from .int8 import int8_weight, quantize_products


def quantize_dynamic(fp32: Path, out: Path) -> None:
    """Write the dynamic INT8 variant of an FP32 graph, with fused attention where it is plain.

    Other products have the pattern that onnxruntime fuses to DynamicQuantizeMatMul.
    """
    model = open_graph(fp32)
    weights = weights_of(model)
    attentions = {attention.output: fused(attention, weights) for attention in find_attentions(model)}
    quantize_products(model, out, dynamic_product, instead=attentions)


def dynamic_product(product: Product, weights: dict[str, Any]) -> Emit:
    """The product of U8 activations, with the range of each tensor at run time, and S8 weights."""

    def emit(changed: Rewriting, node: Any) -> None:
        at, to = product.input, product.output
        weight, scales, zeros = int8_weight(changed, product, weights)
        scale, zero = f"{at}/scale", f"{at}/zero_point"
        steps = changed.wide_node("DynamicQuantizeLinear", [at], [f"{at}/uint8", scale, zero])
        sums = changed.node("MatMulInteger", [steps, weight, zero, zeros], f"{to}/int32")
        step = changed.node("Mul", [scale, scales], f"{to}/scale")
        changed.node("Mul", [changed.node("Cast", [sums], f"{to}/steps", to=1), step], to)

    return emit

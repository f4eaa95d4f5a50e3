"""A layer's query, key and value products and its attention as one operator, for dynamic INT8 on CPUs.

onnxruntime's QAttention needs no transposes and one dispatch instead of a dozen; benchmarks/NOTES.md has the gain. It
computes the same as the products and the attention that it replaces.
"""

from __future__ import annotations

from typing import Any

from edgener_exporters.graph.graph import Emit, Rewriting
from edgener_exporters.graph.weights import quantized, safe_column_scales
from edgener_exporters.structure.attentions import MASK, Attention


def fused(attention: Attention, weights: dict[str, Any]) -> Emit:
    """The replacement of the node that writes an attention's output."""

    def emit(changed: Rewriting, node: Any) -> None:
        import numpy as np
        from onnx import TensorProto, numpy_helper

        at, to = attention.products[0].input, attention.output
        arrays = [numpy_helper.to_array(weights[product.weight]) for product in attention.products]
        matrix = np.concatenate(arrays, axis=1)
        scales = safe_column_scales(matrix)
        weight = "+".join(product.weight for product in attention.products)  # shared by the layers of some encoders
        bias = np.concatenate([numpy_helper.to_array(weights[name]) for name in attention.biases])
        scale, zero = f"{at}/scale", f"{at}/zero_point"
        rows = changed.wide_node("DynamicQuantizeLinear", [at], [f"{at}/uint8", scale, zero])
        inputs = [
            rows,
            changed.weight(f"{weight}/int8", lambda: quantized(matrix, scales)),
            changed.weight(f"{weight}/bias", lambda: bias),
            scale,
            changed.weight(f"{weight}/scale", lambda: scales),
            changed.node("Cast", [MASK], f"{MASK}/int32", to=TensorProto.INT32),
            zero,
            changed.weight("int8/zero", lambda: np.array(0, dtype=np.int8)),
        ]
        changed.node("QAttention", inputs, to, domain="com.microsoft", num_heads=attention.heads)

    return emit

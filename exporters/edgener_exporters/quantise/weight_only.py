"""Weight-only INT8: 8-bit blocks along k with one scale each, activations quantised per block.

onnxruntime's MatMulNBits at accuracy level 4 quantises activations per block too, so nothing depends on the batch; it
is slower than the other INT8 variants and nearest to FP32.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgener_exporters.graph.graph import Emit, Rewriting, open_graph
from edgener_exporters.graph.roles import Product
from edgener_exporters.graph.weights import LARGEST

from .int8 import quantize_products

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BLOCK = 32
_ZERO_POINT = 128  # of MatMulNBits without explicit zero points
_INT8_ACTIVATIONS = 4  # its accuracy level


def quantize_weights(fp32: Path, out: Path, keep: Collection[str] = (), block: int = BLOCK) -> None:
    """Write the weight-only INT8 variant of an FP32 graph, in blocks of 32 or 128."""
    quantize_products(open_graph(fp32), out, partial(weight_only_product, block=block), keep)


def weight_only_product(product: Product, weights: dict[str, Any], block: int = BLOCK) -> Emit:
    """The product as one MatMulNBits node."""

    def emit(changed: Rewriting, node: Any) -> None:
        from onnx import numpy_helper

        weight = numpy_helper.to_array(weights[product.weight])
        steps, scales = blocks(weight, block)
        inputs = [
            product.input,
            changed.weight(f"{product.weight}/uint8", lambda: steps),
            changed.weight(f"{product.weight}/scale", lambda: scales),
        ]
        shape = {"K": weight.shape[0], "N": weight.shape[1], "bits": 8, "block_size": block}
        changed.node("MatMulNBits", inputs, product.output, "com.microsoft", accuracy_level=_INT8_ACTIVATIONS, **shape)

    return emit


def blocks(weight: NDArray[np.float32], block: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """A (k, n) weight as (n, blocks, block) steps around 128, and the (n * blocks,) scales of MatMulNBits."""
    import numpy as np

    padded = np.pad(weight.T, ((0, 0), (0, -len(weight) % block))).reshape(weight.shape[1], -1, block)
    scales = np.maximum(np.abs(padded).max(axis=2) / LARGEST, 1e-12).astype(np.float32)
    steps = np.clip(np.rint(padded / scales[..., None]), -LARGEST, LARGEST) + _ZERO_POINT
    return steps.astype(np.uint8), scales.ravel()

"""Row-wise INT8: as dynamic INT8, but every subword has an activation range of its own.

One range a tensor lets a text's answer depend on the texts beside it in the batch and on padding; one range a row does
not. onnxruntime has no such kernel: rows are divided by their largest value, quantised on a fixed scale, and multiplied
back behind the product, all with operators of plain ONNX.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .graph import Emit, Rewriting, open_graph
from .int8 import int8_weight, quantize_products
from .roles import Product
from .weights import LARGEST

_ZERO_POINT = 128  # of U8 activations that are as often negative as positive
_TINY = 1e-12  # the largest value of a row of zeros


def quantize_rowwise(fp32: Path, out: Path) -> None:
    """Write the row-wise INT8 form of an FP32 graph, in the pattern that onnxruntime fuses to MatMulIntegerToFloat."""
    quantize_products(open_graph(fp32), out, rowwise_product)


def rowwise_product(product: Product, weights: dict[str, Any]) -> Emit:
    """The product of U8 activations in steps of a 127th of their row's largest value, and S8 weights."""

    def emit(changed: Rewriting, node: Any) -> None:
        to = product.output
        rows, largest = _quantized_rows(changed, product.input)
        weight, scales, zeros = int8_weight(changed, product, weights)
        matrix = changed.node("DequantizeLinear", [weight, scales, zeros], f"{product.weight}/float", axis=1)
        changed.node("Mul", [changed.node("MatMul", [rows, matrix], f"{to}/rows"), largest], to)

    return emit


def _quantized_rows(changed: Rewriting, at: str) -> tuple[str, str]:
    """The names of the activation with rows of largest value 1, quantised and back, and of those largest values."""
    import numpy as np

    tiny = changed.weight("rowwise/tiny", lambda: np.float32(_TINY))
    scale = changed.weight("rowwise/scale", lambda: np.float32(1 / LARGEST))
    zero = changed.weight("rowwise/zero_point", lambda: np.uint8(_ZERO_POINT))
    axes = changed.weight("rowwise/axes", lambda: np.array([-1], dtype=np.int64))
    size = changed.node("Abs", [at], f"{at}/size")
    largest = changed.node("Max", [changed.node("ReduceMax", [size, axes], f"{at}/peak"), tiny], f"{at}/largest")
    rows = changed.node("Div", [at, largest], f"{at}/rows")
    steps = changed.node("QuantizeLinear", [rows, scale, zero], f"{at}/rows/uint8")
    return changed.node("DequantizeLinear", [steps, scale, zero], f"{at}/rows/float"), largest

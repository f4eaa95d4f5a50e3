"""Static INT8 for CPUs: U8 activations in calibrated ranges, S8 weights per channel, as Q/DQ pairs."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgener_exporters.calibrate.ranges import Range
from edgener_exporters.graph.graph import Emit, Rewriting, open_graph
from edgener_exporters.graph.roles import Product

from .int8 import STEPS, ProductKernel, encoder_products, int8_weight, noisy_products, quantize_products
from .smooth import smooth

if TYPE_CHECKING:
    from edgener_exporters.calibrate.calibration import Calibration


def quantize_static(fp32: Path, out: Path, calibration: Calibration, keep: Collection[str] = ()) -> None:
    """Write the static U8S8 variant of an FP32 graph; onnxruntime fuses its pattern to MatMulIntegerToFloat.

    Products with a noisy input and those of `keep` stay in FP32.
    """
    model = open_graph(fp32)
    smooth(model, calibration)
    products = encoder_products(model, keep)
    seen = calibration.ranges(model, list(dict.fromkeys(product.input for product in products)))
    left_out = {*keep, *noisy_products(products, seen, symmetric=False)}
    quantize_products(model, out, static_kernel(seen), left_out)


def static_kernel(seen: dict[str, Range]) -> ProductKernel:
    """The product of U8 activations in calibrated ranges, and S8 weights."""

    def kernel(product: Product, weights: dict[str, Any]) -> Emit:
        def emit(changed: Rewriting, node: Any) -> None:
            activation = _quantized(changed, product.input, seen[product.input])
            weight, scales, zeros = int8_weight(changed, product, weights)
            matrix = changed.node("DequantizeLinear", [weight, scales, zeros], f"{product.weight}/float", axis=1)
            changed.node("MatMul", [activation, matrix], product.output)

        return emit

    return kernel


def _quantized(changed: Rewriting, at: str, seen: Range) -> str:
    """The name of the quantised and dequantised activation."""
    import numpy as np

    low, high = min(seen.low, 0.0), max(seen.high, 0.0)  # zero is exactly a step
    step = max(high - low, 1e-12) / STEPS
    scale = changed.weight(f"{at}/static/scale", lambda: np.float32(step))
    zero = changed.weight(f"{at}/static/zero_point", lambda: np.uint8(round(-low / step)))
    steps = changed.node("QuantizeLinear", [at, scale, zero], f"{at}/static/uint8")
    return changed.node("DequantizeLinear", [steps, scale, zero], f"{at}/static/float")

"""INT8 for TensorRT: symmetric S8 activations and weights as Q/DQ pairs, the rest in FP16 or FP32.

TensorRT 11 has no precision flags: pairs of QuantizeLinear and DequantizeLinear with zero points of 0 decide what runs
in INT8. Checked on the CPU; not run on a GPU.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgener_exporters.calibrate.ranges import Range
from edgener_exporters.graph.graph import Emit, Rewriting, open_graph, rewrite, weights_of
from edgener_exporters.graph.roles import Product
from edgener_exporters.graph.weights import LARGEST, column_scales, quantized

from .fp16 import save_for_gpu, to_fp16
from .int8 import encoder_products, noisy_products
from .smooth import smooth

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgener_exporters.calibrate.calibration import Calibration

_STEPS = 2 * LARGEST


def quantize_qdq(
    fp32: Path, out: Path, calibration: Calibration, keep: Collection[str] = (), half: bool = True
) -> None:
    """Write the S8S8 variant of an FP32 graph; its scales and other nodes are in FP16 (`half`) or FP32.

    Products with a noisy input and those of `keep` are not quantised, nor are products of two activations. Raises
    ExportError where TensorRT would refuse the graph, or a logit is not finite.
    """
    model = open_graph(fp32)
    smooth(model, calibration)
    products = encoder_products(model, keep)
    seen = calibration.ranges(model, list(dict.fromkeys(product.input for product in products)))
    by_role = {product.role: seen[product.input] for product in products}
    left_out = {*keep, *noisy_products(products, seen, symmetric=True)}
    if half:
        to_fp16(model, calibration)
    weights = weights_of(model)
    plan = {
        product.output: _quantized_product(product, weights, by_role) for product in encoder_products(model, left_out)
    }
    rewrite(model, plan)
    save_for_gpu(model, out, calibration)


def _quantized_product(product: Product, weights: dict[str, Any], seen: dict[str, Range]) -> Emit:
    def emit(changed: Rewriting, node: Any) -> None:
        from onnx import numpy_helper

        weight = numpy_helper.to_array(weights[product.weight])
        activation = _activation(changed, product.input, seen[product.role], weight.dtype)
        changed.node("MatMul", [activation, _weight(changed, product.weight, weight)], product.output)

    return emit


def _activation(changed: Rewriting, at: str, seen: Range, kind: Any) -> str:
    """The name of the quantised and dequantised activation."""
    import numpy as np

    scale = changed.weight(f"{at}/scale", lambda: _rounded_up(np.array(max(seen.size, 1e-6) / LARGEST), kind))
    zero = changed.weight(f"{at}/zero_point", lambda: np.array(0, dtype=np.int8))
    steps = changed.node("QuantizeLinear", [at, scale, zero], f"{at}/int8")
    return changed.node("DequantizeLinear", [steps, scale, zero], f"{at}/float")


def _weight(changed: Rewriting, name: str, weight: NDArray[Any]) -> str:
    """The name of the weight, dequantised from S8 with one scale per column."""
    import numpy as np

    full = weight.astype(np.float32)
    scales = _rounded_up(np.maximum(column_scales(full), 1e-7), weight.dtype)
    steps = changed.weight(f"{name}/int8", lambda: quantized(full, scales.astype(np.float32)))
    scale = changed.weight(f"{name}/scale", lambda: scales)
    zeros = changed.weight(f"{name}/zero_point", lambda: np.zeros(len(scales), dtype=np.int8))
    return changed.node("DequantizeLinear", [steps, scale, zeros], f"{name}/float", axis=1)


def _rounded_up(scales: NDArray[Any], kind: Any) -> NDArray[Any]:
    """The scales rounded up to the next numbers of a type, so that no value is clipped."""
    import numpy as np

    near = scales.astype(kind)
    return np.where(near < scales, np.nextafter(near, np.asarray(np.inf, dtype=kind)), near).astype(kind)

"""Row-wise INT8: as dynamic INT8, but every subword has its own activation range.

With one range per tensor a text's answer depends on its batch-mates and on padding; with one range per row it does not.
onnxruntime has no such kernel: rows are divided by their largest value, quantised with a fixed scale, and multiplied
back after the product, all with standard ONNX operators.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgener_exporters.calibrate.ranges import Range
from edgener_exporters.graph.graph import Emit, Rewriting, open_graph
from edgener_exporters.graph.roles import Product

from .int8 import STEPS, ProductKernel, encoder_products, int8_weight, quantize_products

if TYPE_CHECKING:
    from edgener_exporters.calibrate.calibration import Calibration

_EVEN = 128  # zero point of activations that are negative as often as positive
_ONE_SIDED = 32  # zero point of activations that are nearly always positive, such as those after GELU
_LEAST_RATIO = 4.0  # of largest to smallest value in a one-sided tensor
_TINY = 1e-12  # the largest value of a row of zeros


def quantize_rowwise(fp32: Path, out: Path, calibration: Calibration) -> None:
    """Write the row-wise INT8 variant of an FP32 graph; onnxruntime fuses its pattern to MatMulIntegerToFloat."""
    model = open_graph(fp32)
    inputs = dict.fromkeys(product.input for product in encoder_products(model))
    quantize_products(model, out, rowwise_kernel(calibration.ranges(model, list(inputs), "minmax")))


def rowwise_kernel(seen: dict[str, Range]) -> ProductKernel:
    """The product of U8 activations in even steps of the largest value of their row, and S8 weights.

    Tensors that are nearly always positive have few steps for negative values.
    """

    def kernel(product: Product, weights: dict[str, Any]) -> Emit:
        def emit(changed: Rewriting, node: Any) -> None:
            to = product.output
            rows, largest = _quantized_rows(changed, product.input, seen[product.input])
            weight, scales, zeros = int8_weight(changed, product, weights)
            matrix = changed.node("DequantizeLinear", [weight, scales, zeros], f"{product.weight}/float", axis=1)
            changed.node("Mul", [changed.node("MatMul", [rows, matrix], f"{to}/rows"), largest], to)

        return emit

    return kernel


def _quantized_rows(changed: Rewriting, at: str, seen: Range) -> tuple[str, str]:
    """The names of the quantised and dequantised activation with rows scaled to 1, and of the rows' largest values."""
    import numpy as np

    one_sided = seen.high > _LEAST_RATIO * -seen.low
    zero_point = _ONE_SIDED if one_sided else _EVEN
    largest = _floored_peak(changed, at, seen, zero_point) if one_sided else _largest(changed, at)
    one = changed.weight("rowwise/one", lambda: np.float32(1))
    scale = changed.weight(f"rowwise/{zero_point}/scale", lambda: np.float32(1 / (STEPS - zero_point)))
    zero = changed.weight(f"rowwise/{zero_point}/zero_point", lambda: np.uint8(zero_point))
    rows = changed.node("Mul", [at, changed.node("Div", [one, largest], f"{at}/inverse")], f"{at}/rows")
    steps = changed.node("QuantizeLinear", [rows, scale, zero], f"{at}/rows/uint8")
    return changed.node("DequantizeLinear", [steps, scale, zero], f"{at}/rows/float"), largest


def _largest(changed: Rewriting, at: str) -> str:
    """The largest absolute value of each row."""
    import numpy as np

    tiny = changed.weight("rowwise/tiny", lambda: np.float32(_TINY))
    low = changed.node("Neg", [_reduced(changed, "ReduceMin", at)], f"{at}/depth")
    return changed.node("Max", [_reduced(changed, "ReduceMax", at), low, tiny], f"{at}/largest")


def _floored_peak(changed: Rewriting, at: str, seen: Range, zero_point: int) -> str:
    """The largest value of each row, but large enough for the smallest value of the calibration text."""
    import numpy as np

    least = max(-seen.low * (STEPS - zero_point) / zero_point, _TINY)
    floor = changed.weight(f"{at}/floor", lambda: np.float32(least))
    return changed.node("Max", [_reduced(changed, "ReduceMax", at), floor], f"{at}/largest")


def _reduced(changed: Rewriting, operator: str, at: str) -> str:
    import numpy as np

    axes = changed.weight("rowwise/axes", lambda: np.array([-1], dtype=np.int64))
    return changed.node(operator, [at, axes], f"{at}/{operator}")

"""INT8 weights: symmetric, -127 to 127, one scale per column of a matrix or per row of an embedding table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .graph import Rewriting
from .roles import Embedding

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LARGEST = 127  # -128 has no counterpart
_SMALL_TABLE = 64 * 1024  # bytes; a smaller table saves less than its extra nodes cost
_TINY = 1e-12  # the scale of a column of zeros


def column_scales(weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """The finest scale of each column of a (k, n) weight: its largest value becomes 127."""
    import numpy as np

    scales: NDArray[np.float32] = np.maximum(np.abs(weight).max(axis=0) / LARGEST, _TINY).astype(np.float32)
    return scales


def safe_column_scales(weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scales of the columns of a (k, n) weight that make products of U8 activations exact on every CPU.

    Without VNNI, x86-64 multiplies neighbours along k as a pair, u8[k] * s8[k] + u8[k + 1] * s8[k + 1], in 16 bits that
    saturate (vpmaddubsw). Pairs of one sign whose sum stays within 127 cannot: 255 * (127 + 1 for rounding) < 32768.
    It costs a quarter of the resolution (onnxruntime's reduce_range, 7-bit weights, costs half of it).
    """
    import numpy as np

    pairs = np.pad(weight, ((0, len(weight) % 2), (0, 0))).reshape(-1, 2, weight.shape[1])
    sums = np.maximum(np.maximum(pairs, 0).sum(axis=1), np.maximum(-pairs, 0).sum(axis=1))
    scales: NDArray[np.float32] = np.maximum(sums.max(axis=0) / LARGEST, _TINY).astype(np.float32)
    return scales


def quantized(weight: NDArray[np.float32], scales: NDArray[np.float32]) -> NDArray[np.int8]:
    """The weight as multiples of its scales, which broadcast to it."""
    import numpy as np

    steps: NDArray[np.int8] = np.clip(np.rint(weight / scales), -LARGEST, LARGEST).astype(np.int8)
    return steps


def quantize_embedding(embedding: Embedding, weights: dict[str, Any]) -> dict[str, Any]:
    """A plan for `rewrite` with INT8 rows and their scales; empty for a small table."""
    import numpy as np
    from onnx import numpy_helper

    if 4 * embedding.shape[0] * embedding.shape[1] < _SMALL_TABLE:
        return {}

    def emit(changed: Rewriting, node: Any) -> None:
        table, output = numpy_helper.to_array(weights[embedding.table]), embedding.output
        scales = np.maximum(np.abs(table).max(axis=1, keepdims=True) / LARGEST, _TINY).astype(np.float32)
        steps = changed.weight(f"{embedding.table}/int8", lambda: quantized(table, scales))
        scale = changed.weight(f"{embedding.table}/scale", lambda: scales)
        rows = changed.node("Gather", [steps, embedding.ids], f"{output}/int8")
        row_scales = changed.node("Gather", [scale, embedding.ids], f"{output}/scale")
        floats = changed.node("Cast", [rows], f"{output}/steps", to=1)
        changed.node("Mul", [floats, row_scales], output)

    return {embedding.output: emit}

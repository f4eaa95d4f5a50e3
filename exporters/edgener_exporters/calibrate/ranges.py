"""Activation ranges on real text, in constant memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgener_exporters.graph.graph import copy_of
from edgener_exporters.libraries import export_errors
from edgener_runtime.backends.onnxruntime.library import load_onnxruntime
from edgener_runtime.errors import ExportError
from edgener_runtime.machine.cpu import usable_cores
from edgener_runtime.machine.devices import CPU

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Feeds = dict[str, NDArray[np.int64]]

BINS = 2048  # of a histogram of absolute values
_LEVELS = 128  # of a signed 8-bit number's positive half
_PERCENTILE = 99.99


@dataclass(frozen=True)
class Range:
    """The smallest and largest value of a tensor, and the mean of the squares."""

    low: float
    high: float
    power: float

    @property
    def size(self) -> float:
        """The largest absolute value."""
        return max(-self.low, self.high)


def min_max(model: Any, tensors: Sequence[str], feeds: Iterable[Feeds]) -> dict[str, Range]:
    """The smallest and largest value and the power of each tensor, reduced inside the graph, batch by batch.

    Raises ExportError where onnxruntime cannot run the graph, or a value is not finite.
    """
    import numpy as np

    lows, highs = np.full(len(tensors), np.inf), np.full(len(tensors), -np.inf)
    squares, subwords = np.zeros(len(tensors)), 0
    for fed, outputs in run_batches(_with_reductions(model, tensors), feeds):
        low, high, mean_square = np.array(outputs, dtype=np.float64).T
        lows, highs = np.minimum(lows, low), np.maximum(highs, high)
        squares, subwords = squares + mean_square * fed, subwords + fed
    found = {
        name: Range(float(low), float(high), float(square))
        for name, low, high, square in zip(tensors, lows, highs, squares / max(1, subwords), strict=True)
    }
    if infinite := [name for name, seen in found.items() if not np.isfinite([seen.low, seen.high]).all()]:
        raise ExportError(f"{infinite[0]} is not finite in FP32 on the calibration text", "Train the model again.")
    return found


def channel_sizes(model: Any, tensors: Sequence[str], feeds: Iterable[Feeds]) -> dict[str, list[float]]:
    """The largest absolute value in each channel, the last axis of three, of each tensor.

    Raises ExportError where onnxruntime cannot run the graph.
    """
    import numpy as np

    sizes: dict[str, Any] = {name: np.zeros(1, dtype=np.float32) for name in tensors}
    for _, outputs in run_batches(_with_channel_sizes(model, tensors), feeds):
        for name, found in zip(tensors, outputs, strict=True):
            sizes[name] = np.maximum(sizes[name], found)
    return {name: size.tolist() for name, size in sizes.items()}


def narrowed(
    model: Any, seen: dict[str, Range], feeds: Iterable[Feeds], threshold: Callable[[NDArray[np.int64]], float]
) -> dict[str, Range]:
    """The ranges clipped at a threshold of the absolute value, found from each histogram."""
    counts = _histograms(model, seen, feeds)
    limits = {name: threshold(counts[name]) * seen[name].size for name in seen}
    return {
        name: Range(max(old.low, -limits[name]), min(old.high, limits[name]), old.power) for name, old in seen.items()
    }


def percentile_threshold(counts: NDArray[np.int64]) -> float:
    """The share of the largest absolute value that 99.99 % of the values are below."""
    import numpy as np

    shares = np.cumsum(counts) / counts.sum()
    return float(np.searchsorted(shares, _PERCENTILE / 100) + 1) / len(counts)


def entropy_threshold(counts: NDArray[np.int64]) -> float:
    """The threshold with the least loss of information.

    It has the smallest KL divergence between the clipped histogram and its 128 levels (Migacz, 8-bit Inference with
    TensorRT, GTC 2017).
    """
    import numpy as np

    ends = range(_LEVELS, len(counts) + 1)
    return ends[int(np.argmin([_divergence(counts, end) for end in ends]))] / len(counts)


def _divergence(counts: NDArray[np.int64], end: int) -> float:
    import numpy as np

    clipped = counts[:end].astype(np.float64)
    starts = np.arange(_LEVELS) * end // _LEVELS
    widths = np.diff([*starts, end])
    filled = clipped > 0
    level = np.add.reduceat(clipped, starts) / np.maximum(1, np.add.reduceat(filled.astype(np.int64), starts))
    coarse = np.where(filled, np.repeat(level, widths), 0)
    clipped[-1] += counts[end:].sum()
    both = (clipped > 0) & (coarse > 0)
    if not both.any() or (clipped > 0).sum() > both.sum():  # the clipped values have no level
        return float("inf")
    p, q = clipped[both] / clipped.sum(), coarse[both] / coarse.sum()
    return float((p * np.log(p / q)).sum())


def _histograms(model: Any, seen: dict[str, Range], feeds: Iterable[Feeds]) -> dict[str, NDArray[np.int64]]:
    """The number of absolute values in each of BINS between 0 and the largest."""
    import numpy as np

    counts = {name: np.zeros(BINS, dtype=np.int64) for name in seen}
    for _, outputs in run_batches(with_outputs(model, list(seen)), feeds):
        for (name, old), values in zip(seen.items(), outputs, strict=True):
            bins = (np.abs(values.ravel()) * (BINS / max(old.size, 1e-30))).astype(np.int32)
            counts[name] += np.bincount(np.minimum(bins, BINS - 1), minlength=BINS)
    return counts


def run_batches(model: Any, feeds: Iterable[Feeds]) -> Iterator[tuple[int, list[Any]]]:
    """The number of subwords with padding and the outputs of a graph for each batch, on the CPU.

    Raises ExportError where onnxruntime cannot run it.
    """
    onnxruntime = load_onnxruntime()

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = usable_cores()
    with export_errors("onnxruntime cannot run the graph on the calibration text"):
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, [CPU])
    del model
    for arrays in feeds:
        with export_errors("onnxruntime cannot run the graph on the calibration text"):
            outputs = session.run(None, arrays)
        yield arrays["input_ids"].size, outputs


def with_outputs(model: Any, tensors: Sequence[str]) -> Any:
    """A copy whose outputs are those tensors."""
    import onnx

    copy = copy_of(model)
    del copy.graph.output[:]
    copy.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in tensors)
    return copy


def _with_reductions(model: Any, tensors: Sequence[str]) -> Any:
    """A copy with one output per tensor: its minimum, maximum and mean square."""
    from onnx import helper, numpy_helper

    copy = with_outputs(model, [f"{name}/range" for name in tensors])
    graph = copy.graph
    graph.initializer.append(numpy_helper.from_array(_one_element(), "range/shape"))
    for name in tensors:
        graph.node.append(helper.make_node("Mul", [name, name], [f"{name}/square"]))
        parts = [(name, "ReduceMin"), (name, "ReduceMax"), (f"{name}/square", "ReduceMean")]
        for source, operator in parts:
            graph.node.append(helper.make_node(operator, [source], [f"{name}/{operator}"], keepdims=0))
            graph.node.append(
                helper.make_node("Reshape", [f"{name}/{operator}", "range/shape"], [f"{name}/{operator}/1"])
            )
        graph.node.append(
            helper.make_node("Concat", [f"{name}/{operator}/1" for _, operator in parts], [f"{name}/range"], axis=0)
        )
    return copy


def _with_channel_sizes(model: Any, tensors: Sequence[str]) -> Any:
    """A copy with one output per tensor: the largest absolute value in each of its channels."""
    import numpy as np
    from onnx import helper, numpy_helper

    copy = with_outputs(model, [f"{name}/sizes" for name in tensors])
    copy.graph.initializer.append(numpy_helper.from_array(np.array([0, 1], dtype=np.int64), "sizes/axes"))
    for name in tensors:
        copy.graph.node.append(helper.make_node("Abs", [name], [f"{name}/absolute"]))
        inputs = [f"{name}/absolute", "sizes/axes"]
        copy.graph.node.append(helper.make_node("ReduceMax", inputs, [f"{name}/sizes"], keepdims=0))
    return copy


def _one_element() -> Any:
    import numpy as np

    return np.array([1], dtype=np.int64)

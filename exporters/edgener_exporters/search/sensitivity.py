"""The cost of each matrix product with each kernel: noise in the logits, and time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

from edgener_exporters.calibrate.ranges import run_batches
from edgener_exporters.distance import relative_distance
from edgener_exporters.graph.graph import Emit, copy_of, rewrite, weights_of
from edgener_exporters.graph.roles import Product
from edgener_exporters.quantise.int8 import ProductKernel
from edgener_exporters.variants import FP32
from edgener_runtime.backends.onnxruntime.library import load_onnxruntime
from edgener_runtime.machine.cpu import usable_cores
from edgener_runtime.machine.devices import CPU

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Feeds = dict[str, NDArray[np.int64]]
    Floats = NDArray[np.float32]

_ROWS = 256  # subwords of a timed product, as many as a batch of short texts has
TIMED_ROUNDS, _RUNS = 7, 10


class Noise:
    """The distance between the logits of an open FP32 graph and those of its changed copies, on fixed texts."""

    def __init__(self, model: Any, feeds: Iterable[Feeds]) -> None:
        self._feeds = list(feeds)
        self._expected = self._logits(model)

    def changed(self, model: Any, kernels: Sequence[tuple[Product, ProductKernel]]) -> float:
        """The relative L2 distance of the logits when some products of an equivalent graph have other kernels.

        Padding is left out.
        """
        copy, weights = copy_of(model), weights_of(model)
        rewrite(copy, {product.output: kernel(product, weights) for product, kernel in kernels})
        return relative_distance(self._logits(copy), self._expected)

    def _logits(self, model: Any) -> Floats:
        import numpy as np

        runs = zip(self._feeds, run_batches(model, self._feeds), strict=True)
        found = [logits[arrays["attention_mask"] == 1] for arrays, (_, (logits,)) in runs]
        joined: Floats = np.concatenate(found)
        return joined


@dataclass(frozen=True)
class ProductShape:
    """Products with the same time: (subwords, k) by (k, n), and the part of the layer."""

    k: int
    n: int
    part: str


def product_seconds(
    model: Any,
    products: Sequence[Product],
    kernels: Mapping[str, ProductKernel],
    step: Callable[[], None] = lambda: None,
) -> dict[str, dict[str, float]]:
    """By role and kernel, the median seconds of a bare product of 256 subwords, with quantisation of its activation.

    Products of one shape and part of the layer are timed once; all are timed in turns, on the usable cores.
    """
    weights = weights_of(model)
    by_shape: dict[ProductShape, Product] = {}
    for product in products:
        by_shape.setdefault(_shape_of(product, weights), product)
    runs = {
        (shape, name): _bare_product(product, kernel(product, weights) if kernel else None, weights)
        for shape, product in by_shape.items()
        for name, kernel in {FP32: None, **kernels}.items()
    }
    seconds = _in_turns(runs, step)
    return {
        product.role: {name: seconds[_shape_of(product, weights), name] for name in (FP32, *kernels)}
        for product in products
    }


def _shape_of(product: Product, weights: dict[str, Any]) -> ProductShape:
    k, n = weights[product.weight].dims
    return ProductShape(k, n, product.role.rsplit(".", 1)[-1])


def _in_turns(runs: Mapping[Any, Callable[[], float]], step: Callable[[], None]) -> dict[Any, float]:
    taken: dict[Any, list[float]] = {key: [] for key in runs}
    for _ in range(TIMED_ROUNDS):
        for key, run in runs.items():
            taken[key].append(run())
        step()
    return {key: median(times) for key, times in taken.items()}


def _bare_product(product: Product, emit: Emit | None, weights: dict[str, Any]) -> Callable[[], float]:
    """A function that runs the product alone on random activations and returns the seconds of one run."""
    import numpy as np

    onnxruntime = load_onnxruntime()
    from onnx import TensorProto, helper

    k, n = weights[product.weight].dims
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, _ROWS, width])
        for name, width in ((product.input, k), (product.output, n))
    ]
    node = helper.make_node("MatMul", [product.input, product.weight], [product.output])
    graph = helper.make_graph([node], "product", ends[:1], ends[1:], [weights[product.weight]])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)
    if emit:
        rewrite(model, {product.output: emit})
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = usable_cores()
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, [CPU])
    feeds = {product.input: np.random.default_rng(0).standard_normal((1, _ROWS, k), dtype=np.float32)}
    session.run(None, feeds)

    def run() -> float:
        start = time.perf_counter()
        for _ in range(_RUNS):
            session.run(None, feeds)
        return (time.perf_counter() - start) / _RUNS

    return run

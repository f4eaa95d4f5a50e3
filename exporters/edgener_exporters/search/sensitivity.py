"""What each matrix product costs in each form: noise in the logits, and time."""

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
from edgener_exporters.int8_kernels import FP32
from edgener_exporters.quantise.int8 import Form
from edgener_runtime.backends.onnxruntime.library import load_onnxruntime
from edgener_runtime.machine.cpu import usable_cores
from edgener_runtime.machine.devices import CPU

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Feeds = dict[str, NDArray[np.int64]]
    Floats = NDArray[np.float32]

_ROWS = 256  # subwords of the bare products that are timed, as many as a batch of short texts has
TIMED_ROUNDS, _RUNS = 7, 10


class Noise:
    """How far from an open FP32 graph's own logits those of its changed forms are, on texts that are kept."""

    def __init__(self, model: Any, feeds: Iterable[Feeds]) -> None:
        self._feeds = list(feeds)
        self._expected = self._logits(model)

    def changed(self, model: Any, forms: Sequence[tuple[Product, Form]]) -> float:
        """With some products of a graph that says the same in other forms: the norm of the difference over that of
        FP32's logits, padding left out.
        """
        copy, weights = copy_of(model), weights_of(model)
        rewrite(copy, {product.output: form(product, weights) for product, form in forms})
        return relative_distance(self._logits(copy), self._expected)

    def _logits(self, model: Any) -> Floats:
        import numpy as np

        runs = zip(self._feeds, run_batches(model, self._feeds), strict=True)
        found = [logits[arrays["attention_mask"] == 1] for arrays, (_, (logits,)) in runs]
        joined: Floats = np.concatenate(found)
        return joined


@dataclass(frozen=True)
class Shape:
    """Products that take the same time: (subwords, k) by (k, n), and whether rows of the activation are one-sided."""

    k: int
    n: int
    kind: str


def product_seconds(
    model: Any, products: Sequence[Product], forms: Mapping[str, Form], step: Callable[[], None] = lambda: None
) -> dict[str, dict[str, float]]:
    """By role and form, the median seconds of a bare product of 256 subwords, quantising its activation included.

    Products of one shape and place in the layer are timed once; all are timed in turns, on the cores there are.
    """
    weights = weights_of(model)
    by_shape: dict[Shape, Product] = {}
    for product in products:
        by_shape.setdefault(_shape(product, weights), product)
    sessions = {
        (shape, name): _bare(product, form(product, weights) if form else None, weights)
        for shape, product in by_shape.items()
        for name, form in {FP32: None, **forms}.items()
    }
    seconds = _in_turns(sessions, step)
    return {
        product.role: {name: seconds[_shape(product, weights), name] for name in (FP32, *forms)} for product in products
    }


def _shape(product: Product, weights: dict[str, Any]) -> Shape:
    k, n = weights[product.weight].dims
    return Shape(k, n, product.role.rsplit(".", 1)[-1])


def _in_turns(sessions: Mapping[Any, Callable[[], float]], step: Callable[[], None]) -> dict[Any, float]:
    taken: dict[Any, list[float]] = {key: [] for key in sessions}
    for _ in range(TIMED_ROUNDS):
        for key, run in sessions.items():
            taken[key].append(run())
        step()
    return {key: median(times) for key, times in taken.items()}


def _bare(product: Product, emit: Emit | None, weights: dict[str, Any]) -> Callable[[], float]:
    """Seconds of one run of nothing but the product, on random activations."""
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
        begun = time.perf_counter()
        for _ in range(_RUNS):
            session.run(None, feeds)
        return (time.perf_counter() - begun) / _RUNS

    return run

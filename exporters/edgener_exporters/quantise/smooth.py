"""SmoothQuant: smooth the channels of activations before quantisation, and compensate in the weights.

One range covers every channel of a tensor (or of a row), so a few large channels leave the others few steps. Dividing
each channel by a factor and multiplying the weight's rows by it changes nothing in FP32 and much in INT8 (Xiao et al.
2023, SmoothQuant). An encoder of BERT's family allows it at two positions: after LayerNorm, for query, key and value
together or for the first feed-forward product; and before the attention's output product, where the factors are merged
into the weights of the value at no cost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from edgener_exporters.graph.graph import weights_of
from edgener_exporters.graph.roles import Product, find_products

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edgener_exporters.calibrate.calibration import Calibration

    Factors = NDArray[np.float32]

ALPHA = 0.65  # the paper's alpha, the share of the difficulty that moves into the weights
_TINY = 1e-5


def smoothable(model: Any) -> dict[str, list[Product]]:
    """The activations that can be smoothed, with the products that read each, in the graph's order.

    A weight with two uses, as in encoders with shared layers, cannot compensate both.
    """
    writers = {output: node for node in model.graph.node for output in node.output}
    uses = Counter(name for node in model.graph.node for name in node.input)
    values = _values(model)
    found = {}
    for name, products in _readers(find_products(model)).items():
        changed = [*(product.weight for product in products), *values.get(name, ())]
        after_norm = name in writers and writers[name].op_type == "LayerNormalization"
        if (name in values or after_norm) and all(uses[weight] == 1 for weight in changed):
            found[name] = products
    return found


def smooth(model: Any, calibration: Calibration, chosen: Collection[str] | None = None) -> None:
    """Smooth the activations of `smoothable`, or the chosen ones among them, in the open graph.

    Raises UserInputError where the calibration text is too short.
    """
    found = smoothable(model)
    tensors = [name for name in found if chosen is None or name in chosen]
    values = _values(model)
    sizes = calibration.channel_sizes(model, list(found)) if tensors else {}  # of all, in one measurement
    for name in tensors:
        factors = _factors(sizes[name], [_array(model, product.weight) for product in found[name]])
        for product in found[name]:
            _replace(model, product.weight, _array(model, product.weight) * factors[:, None])
        if name in values:
            for weight in values[name]:
                _replace(model, weight, _array(model, weight) / factors)
        else:
            _divide(model, name, factors, {product.output for product in found[name]})


def _factors(sizes: Sequence[float], weights: Sequence[Factors]) -> Factors:
    """One factor per channel, with a geometric mean of 1."""
    import numpy as np

    activation = np.maximum(np.array(sizes), _TINY)
    weight = np.maximum(np.max([np.abs(array).max(axis=1) for array in weights], axis=0), _TINY)
    logarithms = ALPHA * np.log(activation) - (1 - ALPHA) * np.log(weight)
    factors: Factors = np.exp(logarithms - logarithms.mean()).astype(np.float32)
    return factors


def _readers(products: Sequence[Product]) -> dict[str, list[Product]]:
    """The encoder's products by the activation they read, without the classifier, which is not quantised."""
    readers: dict[str, list[Product]] = {}
    for product in products:
        if not product.is_head:
            readers.setdefault(product.input, []).append(product)
    return readers


def _values(model: Any) -> Mapping[str, list[str]]:
    """By the input of each attention's output product: the weight and bias of the value behind it."""
    products = {product.role: product for product in find_products(model)}
    found = {}
    for role, product in products.items():
        if role.endswith("attention_output"):
            value = products.get(role.replace("attention_output", "value"))
            if value and (bias := _bias(model, value.output)):
                found[product.input] = [value.weight, bias]
    return found


def _bias(model: Any, output: str) -> str | None:
    """The bias of a product, or None where the product has other readers than the addition of a vector."""
    readers = [node for node in model.graph.node if output in node.input]
    if len(readers) != 1 or readers[0].op_type != "Add":
        return None
    other: str = next(name for name in readers[0].input if name != output)
    weights = weights_of(model)
    return other if other in weights and len(weights[other].dims) == 1 else None


def _divide(model: Any, name: str, factors: Factors, readers: set[str]) -> None:
    """Let the products that write `readers` read the divided activation; others read the original."""
    from onnx import helper, numpy_helper

    model.graph.initializer.append(numpy_helper.from_array(1 / factors, f"{name}/smoothing"))
    node = helper.make_node("Mul", [name, f"{name}/smoothing"], [f"{name}/smooth"], f"{name}/smooth/Mul")
    for reader in model.graph.node:
        if reader.output[0] in readers:
            reader.input[0] = f"{name}/smooth"
    position = next(index for index, writer in enumerate(model.graph.node) if name in writer.output)
    model.graph.node.insert(position + 1, node)


def _array(model: Any, name: str) -> Factors:
    from onnx import numpy_helper

    array: Factors = numpy_helper.to_array(weights_of(model)[name])
    return array


def _replace(model: Any, name: str, array: Factors) -> None:
    from onnx import numpy_helper

    weights_of(model)[name].CopyFrom(numpy_helper.from_array(array, name))

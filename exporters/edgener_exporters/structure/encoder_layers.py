"""The layers of an encoder as a whole: attention, residual, LayerNorm, feed-forward products, residual, LayerNorm.

A layer is read from the structure of the FP32 graph, and every node of it is accounted for. What the activation between
the feed-forward products is, is found by computing it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from edgener_runtime.errors import UserInputError

from .attentions import Attention, find_attentions
from .index import GraphIndex

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.floating]

_ELEMENTWISE = {"Add", "Div", "Erf", "Gelu", "Mul", "Pow", "Relu", "Sub", "Tanh"}
_FARTHEST, _POINTS = 20, 4001  # where an activation is compared
_TOLERANCE = 1e-4  # GELU by tanh is off by 5e-4
_DEFAULT_EPSILON = 1e-5  # ONNX's
_HINT = "Leave the variant out; int8-rowwise has one range per subword as well."


@dataclass(frozen=True)
class Dense:
    """A product with its bias, by the names of the weight (k, n) and of the bias (n,)."""

    weight: str
    bias: str


@dataclass(frozen=True)
class Norm:
    """A LayerNorm, by the names of its scale and bias, and its epsilon."""

    scale: str
    bias: str
    epsilon: float


@dataclass(frozen=True)
class LayerNodes:
    """One encoder layer, by the names of its input, its weights and its output; `activation` is gelu or relu."""

    input: str
    output: str
    heads: int
    query: Dense
    key: Dense
    value: Dense
    attention_output: Dense
    attention_norm: Norm
    feed_forward_1: Dense
    activation: str
    feed_forward_2: Dense
    output_norm: Norm


def find_encoder_layers(model: Any) -> tuple[LayerNodes, ...]:
    """The layers of an open FP32 graph, each on the output of the one before.

    Raises UserInputError with the first difference where the encoder has other layers.
    """
    graph = _LayerIndex(model)
    attentions = list(find_attentions(model))
    softmaxes = sum(node.op_type == "Softmax" for node in model.graph.node)
    if not attentions or len(attentions) < softmaxes:
        raise _other(f"{len(attentions)} of {softmaxes} attentions are plain")
    layers = tuple(graph.layer(attention) for attention in attentions)
    for before, after in pairwise(layers):
        if before.output != after.input:
            raise _other(f"{after.input} is not the output of the layer before, {before.output}")
    return layers


class _LayerIndex(GraphIndex):
    """The nodes behind an attention."""

    def layer(self, attention: Attention) -> LayerNodes:
        """The layer around a plain attention."""
        weights = [product.weight for product in attention.products]
        query, key, value = map(Dense, weights, attention.biases)
        at = attention.products[0].input
        attention_output, summand = self._dense(attention.output)
        attention_norm, middle = self._sum_norm(summand, at)
        feed_forward_1, before = self._dense(middle)
        activation, after = self._activation(before)
        feed_forward_2, summand = self._dense(after)
        output_norm, output = self._sum_norm(summand, middle)
        return LayerNodes(
            at, output, attention.heads, query, key, value, attention_output, attention_norm, feed_forward_1,
            activation, feed_forward_2, output_norm,
        )  # fmt: skip

    def _dense(self, name: str) -> tuple[Dense, str]:
        """The product that reads a tensor, and its output with the bias."""
        product, *others = [node for node in self.readers(name) if node.op_type == "MatMul"] or [None]
        if product is None or others or product.input[0] != name or product.input[1] not in self.weights:
            raise _other(f"{name} is not the input of one product with a weight")
        add = self.only_reader(product.output[0], "Add")
        biases = [each for each in add.input if self.is_vector(each)] if add else []
        if add is None or not biases:
            raise _other(f"{product.output[0]} has no bias")
        return Dense(product.input[1], biases[0]), add.output[0]

    def _sum_norm(self, name: str, residual: str) -> tuple[Norm, str]:
        """The LayerNorm of a tensor's sum with the residual, and its output."""
        add = self.only_reader(name, "Add")
        norm = self.only_reader(add.output[0], "LayerNormalization") if add and residual in add.input else None
        if norm is None:
            raise _other(f"{name} is not added to {residual} and normalised")
        settings = {attribute.name: attribute for attribute in norm.attribute}
        axis = settings["axis"].i if "axis" in settings else -1
        if axis != -1 or len(norm.input) != 3 or not all(map(self.is_vector, norm.input[1:])):
            raise _other(f"{norm.output[0]} is not a LayerNorm over the last axis with scale and bias")
        epsilon = settings["epsilon"].f if "epsilon" in settings else _DEFAULT_EPSILON
        return Norm(norm.input[1], norm.input[2], epsilon), norm.output[0]

    def _activation(self, name: str) -> tuple[str, str]:
        """Which function stands between a tensor and the next product, and that product's input."""
        import numpy as np

        between = self._elementwise_behind(name)
        outputs = {output for node in between for output in node.output}
        found = next((each for each in outputs for node in self.readers(each) if node.op_type == "MatMul"), None)
        if found is not None:
            points = np.linspace(-_FARTHEST, _FARTHEST, _POINTS, dtype=np.float32)
            values = self._run(between, name, found, points)
            for activation, expected in _activations(points).items():
                if np.abs(values - expected).max() <= _TOLERANCE:
                    return activation, found
        raise _other(f"the activation behind {name} is neither GELU by the error function nor ReLU")

    def _elementwise_behind(self, name: str) -> list[Any]:
        """The nodes that compute something from a tensor and single numbers, number by number."""
        known, found = {name}, []
        for node in self.model.graph.node:
            others = [each for each in node.input if each not in known]
            numbers = all(len(self.constant(each)) == 1 for each in others)
            if node.op_type in _ELEMENTWISE and len(others) < len(node.input) and numbers:
                found.append(node)
                known |= set(node.output)
        return found

    def _run(self, nodes: list[Any], source: str, target: str, points: Floats) -> Floats:
        """What elementwise nodes make of points."""
        from onnx import TensorProto, helper, numpy_helper
        from onnx.reference import ReferenceEvaluator

        inside = {source, *(output for node in nodes for output in node.output)}
        names = {name for node in nodes for name in node.input} - inside
        numbers = [numpy_helper.from_array(self.array(name), name) for name in sorted(names)]
        ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["points"]) for name in (source, target)]
        graph = helper.make_graph(nodes, "activation", ends[:1], ends[1:], numbers)
        values: Floats = ReferenceEvaluator(helper.make_model(graph, opset_imports=self.model.opset_import)).run(
            None, {source: points}
        )[0]
        return values


def _activations(points: Floats) -> dict[str, Floats]:
    """The activations that a layer may have, at points."""
    import numpy as np

    erf = np.array([math.erf(point / math.sqrt(2)) for point in points.tolist()])
    return {"gelu": points * 0.5 * (1 + erf), "relu": np.maximum(points, 0)}


def _other(difference: str) -> UserInputError:
    return UserInputError(f"the encoder has layers of another kind than BERT's: {difference}", _HINT)

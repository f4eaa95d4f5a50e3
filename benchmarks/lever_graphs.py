"""An INT8 graph changed in one way each, to see what the change is worth: what levers.py tries."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

CONTRIB = "com.microsoft"
MASK = "attention_mask/int32"


@dataclass(frozen=True)
class Attention:
    """One layer's attention as it stands: its three products' outputs, the value that leaves it, and its heads."""

    query: str
    key: str
    value: str
    context: str
    heads: int


def unchanged(model: Any) -> Any:
    """The graph as it stands."""
    return model


def multi_head(model: Any, mask: bool = True) -> Any:
    """Attention by onnxruntime's MultiHeadAttention, which has no transposes around it."""
    for attention in _attentions(model):
        inputs = [attention.query, attention.key, attention.value, *(["", MASK] if mask else [])]
        _produce(model, attention.context, "MultiHeadAttention", inputs, num_heads=attention.heads)
    return _finished(model, mask)


def multi_head_unmasked(model: Any) -> Any:
    """The same without a mask: right only where no text is padded."""
    return multi_head(model, mask=False)


def merged_products(model: Any) -> Any:
    """Query, key and value by one product that is split afterwards."""
    for attention in _attentions(model):
        names = [attention.query, attention.key, attention.value]
        products = [_producer(model, name) for name in names]
        weight, scales, bias = _merged(model, products, attention.context)
        first, together = products[0], f"{attention.context}/together"
        for product in products:
            model.graph.node.remove(product)
        inputs = [first.input[0], weight, first.input[2], scales, first.input[4], "", bias]
        model.graph.node.append(helper.make_node("MatMulIntegerToFloat", inputs, [together], domain=CONTRIB))
        model.graph.node.append(helper.make_node("Split", [together], names, axis=-1, num_outputs=3))
    return _finished(model, mask=False)


def gelu_as(operator: str) -> Callable[[Any], Any]:
    """GELU by another operator: FastGelu is the tanh approximation, Relu what it would be for nothing."""

    def change(model: Any) -> Any:
        for node in model.graph.node:
            if node.op_type == "Gelu":
                node.op_type = operator
                node.domain = "" if operator == "Relu" else CONTRIB
        return model

    return change


def int32_inputs(model: Any) -> Any:
    """Ids, types and mask as int32, half the bytes; whatever needs int64 gets a Cast."""
    for value in model.graph.input:
        value.type.tensor_type.elem_type = TensorProto.INT32
        wide = f"{value.name}/int64"
        for node in model.graph.node:
            if node.op_type != "Gather" and value.name in node.input:
                node.input[list(node.input).index(value.name)] = wide
        if any(wide in node.input for node in model.graph.node):
            model.graph.node.insert(0, helper.make_node("Cast", [value.name], [wide], to=TensorProto.INT64))
    return model


def _attentions(model: Any) -> list[Attention]:
    """Every layer's, found from its Softmax: products, Reshape and Transpose before it, the same again behind."""
    found = []
    for softmax in [node for node in model.graph.node if node.op_type == "Softmax"]:
        scores = _producer(model, _producer(model, softmax.input[0]).input[0])
        query, key = (_before_heads(model, name) for name in scores.input[:2])
        mixed = _consumer(model, softmax.output[0])
        context = _consumer(model, _consumer(model, mixed.output[0]).output[0])
        width = _producer(model, query)
        size = next(attribute.f for attribute in scores.attribute if attribute.name == "alpha")
        outputs = _weights(model)[width.input[1]].dims[1]
        heads = round(outputs * size**2)  # scores are divided by the square root of a head's size
        found.append(Attention(query, key, _before_heads(model, mixed.input[1]), context.output[0], heads))
    return found


def _before_heads(model: Any, name: str) -> str:
    transpose = _producer(model, name)
    reshape = _producer(model, transpose.input[0])
    assert (transpose.op_type, reshape.op_type) == ("Transpose", "Reshape")
    return str(reshape.input[0])


def _merged(model: Any, products: list[Any], name: str) -> tuple[str, str, str]:
    """Weights, scales and biases of three products side by side."""
    weights = _weights(model)
    names = []
    for part, place in (("weight", 1), ("scale", 3), ("bias", 6)):
        arrays = [numpy_helper.to_array(weights[product.input[place]]) for product in products]
        names.append(f"{name}/{part}")
        model.graph.initializer.append(numpy_helper.from_array(np.concatenate(arrays, axis=-1), names[-1]))
    return names[0], names[1], names[2]


def _produce(model: Any, output: str, operator: str, inputs: list[str], **attributes: Any) -> None:
    """Let another node give a value."""
    model.graph.node.remove(_producer(model, output))
    model.graph.node.append(helper.make_node(operator, inputs, [output], domain=CONTRIB, **attributes))


def _finished(model: Any, mask: bool) -> Any:
    """The graph in order, without what nothing reads any more."""
    if mask:
        model.graph.node.append(helper.make_node("Cast", ["attention_mask"], [MASK], to=TensorProto.INT32))
    needed = {value.name for value in model.graph.output}
    kept = []
    for node in reversed(_in_order(model.graph)):
        if needed & set(node.output):
            needed.update(node.input)
            kept.append(node)
    del model.graph.node[:]
    model.graph.node.extend(reversed(kept))
    return model


def _in_order(graph: Any) -> list[Any]:
    """Every node behind those whose outputs it reads."""
    known = {value.name for value in (*graph.input, *graph.initializer)} | {""}
    waiting, ordered = list(graph.node), []
    while waiting:
        ready = [node for node in waiting if known.issuperset(node.input)]
        known.update(name for node in ready for name in node.output)
        waiting = [node for node in waiting if not known.issuperset(node.output)]
        ordered += ready
    return ordered


def _weights(model: Any) -> dict[str, Any]:
    return {tensor.name: tensor for tensor in model.graph.initializer}


def _producer(model: Any, name: str) -> Any:
    return next(node for node in model.graph.node if name in node.output)


def _consumer(model: Any, name: str) -> Any:
    return next(node for node in model.graph.node if name in node.input)

"""Smoothing: the same answers in FP32, less noise in INT8."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from edgener_exporters.checkpoint.load import load_reference
from edgener_exporters.graph.checks import cases
from edgener_exporters.graph.graph import open_graph, weights_of
from edgener_exporters.quantise.int8 import encoder_products
from edgener_exporters.quantise.int8_dynamic import dynamic_product
from edgener_exporters.quantise.smooth import smooth, smoothable
from edgener_exporters.search.sensitivity import Noise

from ..conftest import Encoder
from ..running import logits_of


@pytest.mark.parametrize("architecture", ["bert-cased", "roberta", "distilbert", "electra"])
def test_nothing_changes_in_fp32(architecture: str, encoder: Callable[[str], Encoder]) -> None:
    made = encoder(architecture)
    graph = open_graph(made.fp32)
    names = [value.name for value in graph.graph.input]
    smooth(graph, made.calibration)
    onnx.checker.check_model(graph)
    for _, inputs in cases(load_reference(made.checkpoint)):
        feeds = {name: inputs[name] for name in names}
        np.testing.assert_allclose(logits_of(graph, feeds), logits_of(made.fp32, feeds), atol=2e-3, rtol=1e-3)


@pytest.mark.parametrize("architecture", ["bert-cased", "roberta", "distilbert", "electra"])
def test_what_is_behind_layer_norm_or_comes_from_the_value_can_be_smoothed(
    architecture: str, encoder: Callable[[str], Encoder]
) -> None:
    graph = open_graph(encoder(architecture).fp32)
    roles = {product.role for products in smoothable(graph).values() for product in products}
    parts = ("query", "key", "value", "attention_output", "feed_forward_1")
    expected = {f"layer.{layer}.{part}" for layer in (0, 1) for part in parts}
    if architecture == "electra":  # a projection stands between LayerNorm and its first layer
        expected -= {f"layer.0.{part}" for part in parts[:3]}
    assert expected <= roles
    assert not any(role.endswith("feed_forward_2") for role in roles)  # GELU stands before it


def test_only_what_was_chosen_is_smoothed(cased: Encoder) -> None:
    graph, before = open_graph(cased.fp32), weights_of(open_graph(cased.fp32))
    name, products = next(iter(smoothable(graph).items()))
    smooth(graph, cased.calibration, [name])
    after = weights_of(graph)
    changed = {weight for weight in before if before[weight].SerializeToString() != after[weight].SerializeToString()}
    assert changed == {product.weight for product in products}


def loud_channel(cased: Encoder) -> onnx.ModelProto:
    """The graph with one channel of the first LayerNorm forty times as loud, and weights that make up for it."""
    graph = open_graph(cased.fp32)
    name, products = next(iter(smoothable(graph).items()))
    norm = next(node for node in graph.graph.node if name in node.output)
    for weight in (*norm.input[1:], *(product.weight for product in products)):
        tensor = weights_of(graph)[weight]
        array = numpy_helper.to_array(tensor).copy()
        array[3] = array[3] * 40 if array.ndim == 1 else array[3] / 40
        tensor.CopyFrom(numpy_helper.from_array(array, weight))
    return graph


def test_a_loud_channel_is_evened_out(cased: Encoder) -> None:
    graph = loud_channel(cased)
    noise = Noise(graph, cased.calibration.feeds())
    roles = {product.role for product in next(iter(smoothable(graph).values()))}

    def of(changed: onnx.ModelProto) -> float:
        products = [product for product in encoder_products(changed) if product.role in roles]
        return noise.changed(changed, [(product, dynamic_product) for product in products])

    before = of(graph)
    smooth(graph, cased.calibration)
    assert of(graph) < before / 2


def test_a_weight_that_stands_in_two_places_is_left_alone(cased: Encoder) -> None:
    graph = open_graph(cased.fp32)
    products = {product.role: product for product in encoder_products(graph)}
    shared = products["layer.0.query"].weight
    for node in graph.graph.node:
        if node.output[0] == products["layer.1.query"].output:
            node.input[1] = shared
    roles = {product.role for found in smoothable(graph).values() for product in found}
    assert "layer.0.query" not in roles and "layer.1.query" not in roles
    assert "layer.0.feed_forward_1" in roles

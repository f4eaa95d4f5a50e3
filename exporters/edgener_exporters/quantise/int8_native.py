"""Native INT8: an encoder layer as one operator of edgener-ops, over ragged batches.

The operator quantises each row as it runs, to U8 over the range of that row; runtime/ops/README.md defines it. Weights
are symmetric S8 per output channel, stored as its kernels read them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgener_exporters.graph.graph import Rewriting, open_graph, save_graph, weights_of
from edgener_exporters.graph.roles import Embedding
from edgener_exporters.graph.weights import column_scales, quantize_embedding, quantized
from edgener_exporters.structure.encoder_layers import Dense, LayerNodes, find_encoder_layers
from edgener_exporters.structure.ragged import over_ragged_batches
from edgener_runtime.bundle.graph import OFFSETS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

DOMAIN, VERSION = "edgener", 1
"""The domain of the operators, and the version of it that the graphs are written for."""
PANEL, GROUP = 16, 4
"""Weights lie in panels of so many output channels, and within a panel in groups of so many inputs."""


def quantize_native(fp32: Path, out: Path) -> None:
    """Write the native INT8 variant of an FP32 graph.

    Raises UserInputError where the encoder has other layers than the operator computes.
    """
    model = open_graph(fp32)
    weights = weights_of(model)
    layers = find_encoder_layers(model)

    def emit(changed: Rewriting) -> None:
        for layer in layers:
            _emit_layer(changed, layer, weights)

    def look_up(changed: Rewriting, embedding: Embedding) -> None:
        if quantised := quantize_embedding(embedding, weights):
            quantised[embedding.output](changed, None)
        else:
            changed.node("Gather", [embedding.table, embedding.ids], embedding.output)

    save_graph(over_ragged_batches(model, (layers[0].input, layers[-1].output), emit, look_up), out)


def _emit_layer(changed: Rewriting, layer: LayerNodes, weights: dict[str, Any]) -> None:
    """The operator for one layer, with its weights."""
    products = ((layer.query, layer.key, layer.value), (layer.attention_output,))
    norms = layer.attention_norm, layer.output_norm
    inputs = [layer.input, OFFSETS]
    for product in products:
        inputs += _product(changed, product, weights)
    inputs += [norms[0].scale, norms[0].bias]
    for dense in (layer.feed_forward_1, layer.feed_forward_2):
        inputs += _product(changed, (dense,), weights)
    inputs += [norms[1].scale, norms[1].bias]
    changed.node(
        "EncoderLayer", inputs, layer.output, DOMAIN,
        heads=layer.heads, epsilon=layer.attention_norm.epsilon, activation=layer.activation,
    )  # fmt: skip


def _product(changed: Rewriting, parts: tuple[Dense, ...], weights: dict[str, Any]) -> list[str]:
    """The names of the packed weight, scale and bias of products that have the same input."""
    import numpy as np
    from onnx import numpy_helper

    name = "+".join(part.weight for part in parts)
    matrices = [numpy_helper.to_array(weights[part.weight]) for part in parts]
    scales = [column_scales(matrix) for matrix in matrices]
    biases = [numpy_helper.to_array(weights[part.bias]) for part in parts]
    return [
        changed.weight(
            f"{name}/packed",
            lambda: np.concatenate([packed(quantized(*each).T) for each in zip(matrices, scales, strict=True)]),
        ),
        changed.weight(f"{name}/scale", lambda: np.concatenate([*map(padded, scales)])),
        changed.weight(
            "+".join(part.bias for part in parts) + "/padded", lambda: np.concatenate([*map(padded, biases)])
        ),
    ]


def packed(weight: NDArray[np.int8]) -> NDArray[np.int8]:
    """Weights (outputs, inputs) as (panels, groups, 16, 4), padded with zeros."""
    import numpy as np

    panels, groups = -(-weight.shape[0] // PANEL), -(-weight.shape[1] // GROUP)
    whole = np.pad(weight, ((0, panels * PANEL - weight.shape[0]), (0, groups * GROUP - weight.shape[1])))
    return np.ascontiguousarray(whole.reshape(panels, PANEL, groups, GROUP).transpose(0, 2, 1, 3))


def padded(values: Floats) -> Floats:
    """One number per output channel, padded with zeros to whole panels."""
    import numpy as np

    return np.pad(values, (0, -len(values) % PANEL))

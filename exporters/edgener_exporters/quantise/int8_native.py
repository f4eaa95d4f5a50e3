"""Native INT8: an encoder layer as one operator of edgener-ops, over ragged batches.

The operator quantises each row as it runs, to U8 over the range of that row; runtime/ops/README.md defines it. Weights
are symmetric S8 per output channel, stored as its kernels read them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from edgener_exporters.calibrate.moments import second_moments
from edgener_exporters.graph.graph import Rewriting, open_graph, save_graph, weights_of
from edgener_exporters.graph.roles import Embedding
from edgener_exporters.graph.weights import column_scales, quantize_embedding
from edgener_exporters.structure.encoder_layers import Dense, LayerNodes, find_encoder_layers
from edgener_exporters.structure.ragged import over_ragged_batches
from edgener_runtime.bundle.graph import OFFSETS

from .compensated import compensated
from .int8 import encoder_products

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edgener_exporters.calibrate.calibration import Calibration

    Floats = NDArray[np.float32]
    Number = TypeVar("Number", bound=np.floating)

DOMAIN, VERSION = "edgener", 1
"""The domain of the operators, and the version of it that the graphs are written for."""
PANEL, GROUP = 16, 4
"""Weights lie in panels of so many output channels, and within a panel in groups of so many inputs."""
ROTATED = 8  # times 16 inputs that are rotated together


def quantize_native(fp32: Path, out: Path, calibration: Calibration) -> None:
    """Write the native INT8 variant of an FP32 graph, its weights rounded for the calibration text.

    Raises UserInputError where the encoder has other layers than the operator computes, or the text is too short.
    """
    model = open_graph(fp32)
    weights = weights_of(model)
    layers = find_encoder_layers(model)
    inputs = {product.weight: product.input for product in encoder_products(model)}
    moments = second_moments(model, sorted(set(inputs.values())), calibration.feeds("moments of activations"))
    quantiser = _Quantiser(weights, {weight: moments[name] for weight, name in inputs.items()})

    def emit(changed: Rewriting) -> None:
        for layer in layers:
            _emit_layer(changed, layer, quantiser)

    def look_up(changed: Rewriting, embedding: Embedding) -> None:
        if quantised := quantize_embedding(embedding, weights):
            quantised[embedding.output](changed, None)
        else:
            changed.node("Gather", [embedding.table, embedding.ids], embedding.output)

    save_graph(over_ragged_batches(model, (layers[0].input, layers[-1].output), emit, look_up), out)


def _emit_layer(changed: Rewriting, layer: LayerNodes, quantiser: _Quantiser) -> None:
    """The operator for one layer, with its weights."""
    norms = layer.attention_norm, layer.output_norm
    inputs = [layer.input, OFFSETS]
    inputs += quantiser.product(changed, (layer.query, layer.key, layer.value))
    inputs += quantiser.product(changed, (layer.attention_output,), rotated=False)
    inputs += [norms[0].scale, norms[0].bias]
    for dense in (layer.feed_forward_1, layer.feed_forward_2):
        inputs += quantiser.product(changed, (dense,))
    inputs += [norms[1].scale, norms[1].bias]
    changed.node(
        "EncoderLayer", inputs, layer.output, DOMAIN,
        heads=layer.heads, epsilon=layer.attention_norm.epsilon, activation=layer.activation, rotated=1,
    )  # fmt: skip


@dataclass(frozen=True)
class _Quantiser:
    """The weights of a graph, and the second moments of what they multiply, by their names."""

    weights: dict[str, Any]
    moments: dict[str, NDArray[np.float64]]

    def product(self, changed: Rewriting, parts: tuple[Dense, ...], rotated: bool = True) -> list[str]:
        """The names of the packed weight, scale and bias of products that have the same input, which may be rotated."""
        import numpy as np

        turn = rotate if rotated else lambda columns: columns
        matrices = [turn(self._array(part.weight)) for part in parts]
        name, bias = ("+".join(names) for names in zip(*((part.weight, part.bias) for part in parts), strict=True))
        scales = [column_scales(matrix) for matrix in matrices]

        def steps() -> NDArray[np.int8]:
            moments = [turn(turn(self.moments[part.weight]).T) for part in parts]
            found = [compensated(*each) for each in zip(matrices, scales, moments, strict=True)]
            return np.concatenate([packed(each.T) for each in found])

        return [
            changed.weight(f"{name}/packed", steps),
            changed.weight(f"{name}/scale", lambda: np.concatenate([*map(padded, scales)])),
            changed.weight(
                f"{bias}/padded", lambda: np.concatenate([padded(self._array(part.bias)) for part in parts])
            ),
        ]

    def _array(self, name: str) -> Floats:
        from onnx import numpy_helper

        array: Floats = numpy_helper.to_array(self.weights[name])
        return array


def rotate(columns: NDArray[Number]) -> NDArray[Number]:
    """Columns (inputs, n) in blocks of 8 times 16 inputs by the Hadamard matrix over the 8, which is its own inverse.

    The operator rotates its rows in the same way. Other numbers of inputs stay as they are.
    """
    import numpy as np

    if len(columns) % (ROTATED * PANEL):
        return columns
    pair = np.array([[1, 1], [1, -1]]) / np.sqrt(2)
    matrix = np.kron(np.kron(pair, pair), pair).astype(columns.dtype)
    blocks = columns.reshape(-1, ROTATED, PANEL * columns.shape[1])
    return np.asarray((matrix @ blocks).reshape(columns.shape))


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

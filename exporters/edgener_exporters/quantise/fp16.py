"""FP16: half precision wherever the values seen on real text leave room, FP32 where they do not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgener_exporters.calibrate.ranges import run_batches
from edgener_exporters.graph.graph import Rewriting, copy_of, open_graph, save_graph, weights_of
from edgener_exporters.graph.lint import check_for_tensorrt
from edgener_exporters.graph.roles import find_products
from edgener_runtime.errors import ExportError

from .fp16_emulation import round_to_fp16

if TYPE_CHECKING:
    from edgener_exporters.calibrate.calibration import Calibration

LARGEST = 65504.0  # of an FP16 number
_HEADROOM = 8.0  # how much larger other text may be than the calibration text
_MASKED = 1e4  # stands for minus infinity in masks: its exponential is 0, and a score can be added to it
# Sums of squares and of exponentials lose too much in half precision.
_FP32_OPERATORS = {"LayerNormalization", "Softmax"}


def convert_fp16(fp32: Path, out: Path, calibration: Calibration) -> None:
    """Write the FP16 form of an FP32 graph; inputs and outputs keep their types.

    Raises UserInputError where it is no encoder of BERT's family, ExportError where its logits are not finite on the
    calibration text, or TensorRT would refuse it.
    """
    model = open_graph(fp32)
    find_products(model)  # the calibration text would fit no other graph
    to_fp16(model, calibration)
    save_for_gpu(model, out, calibration)


def save_for_gpu(model: Any, out: Path, calibration: Calibration) -> None:
    """Save a graph that TensorRT will take and whose logits are finite on the calibration text, padding included.

    Raises ExportError otherwise.
    """
    import numpy as np

    check_for_tensorrt(model)
    rounded = copy_of(model)
    round_to_fp16(rounded)
    for _, (logits,) in run_batches(rounded, calibration.feeds("finite logits")):
        if not np.isfinite(logits).all():
            raise ExportError(f"{out.name}: a logit is not finite on the calibration text", "Leave this variant out.")
    save_graph(model, out)


def to_fp16(model: Any, calibration: Calibration) -> None:
    """Turn a graph's numbers into FP16, but for what must be or has grown too large on the calibration text."""
    _limit_constants(model)
    floats = _float_tensors(model)
    seen = calibration.ranges(model, floats, "minmax")
    large = {name for name in floats if seen[name].size * _HEADROOM > LARGEST} | _large_weights(model)
    full = {
        node.output[0]
        for node in model.graph.node
        if node.op_type in _FP32_OPERATORS or large & {*node.input, *node.output}
    }
    _halve(model, set(floats), full)


def _halve(model: Any, floats: set[str], full: set[str]) -> None:
    """Cast between the nodes of `full`, named by their first output, and all others, which compute in FP16."""
    from onnx import TensorProto

    changed, halves, weights = Rewriting(), set[str](), weights_of(model)
    outputs = {value.name for value in model.graph.output}
    for node in model.graph.node:
        half = node.output[0] not in full
        for place, name in enumerate(node.input):
            if name in weights and weights[name].data_type == TensorProto.FLOAT and half:
                node.input[place] = _half_weight(changed, weights[name])
            elif name in floats and half != (name in halves) and node.op_type != "Shape":
                kind, suffix = (TensorProto.FLOAT16, "fp16") if half else (TensorProto.FLOAT, "fp32")
                node.input[place] = changed.node("Cast", [name], f"{name}/{suffix}", to=kind)
        changed.nodes.append(node)
        if half:
            _retype(node)
            halves |= floats & set(node.output)
            _restore_outputs(changed, node, outputs & halves)
    changed.take_place(model)


def _half_weight(changed: Rewriting, tensor: Any) -> str:
    import numpy as np
    from onnx import numpy_helper

    return changed.weight(f"{tensor.name}/fp16", lambda: numpy_helper.to_array(tensor).astype(np.float16))


def _retype(node: Any) -> None:
    """FP16 in place of the FP32 that a node's attributes name."""
    import numpy as np
    from onnx import TensorProto, numpy_helper

    for attribute in node.attribute:
        if node.op_type == "Cast" and attribute.i == TensorProto.FLOAT:
            attribute.i = TensorProto.FLOAT16
        elif attribute.t.data_type == TensorProto.FLOAT:
            array = numpy_helper.to_array(attribute.t).astype(np.float16)
            attribute.t.CopyFrom(numpy_helper.from_array(array, attribute.t.name))


def _restore_outputs(changed: Rewriting, node: Any, outputs: set[str]) -> None:
    """The graph's own outputs stay FP32."""
    from onnx import TensorProto

    for place, name in enumerate(node.output):
        if name in outputs:
            node.output[place] = f"{name}/fp16"
            changed.node("Cast", [node.output[place]], name, to=TensorProto.FLOAT)


def _limit_constants(model: Any) -> None:
    """Masks say minus infinity with a single number that FP16 has not."""
    import numpy as np
    from onnx import numpy_helper

    for tensor in _constants(model):
        array = numpy_helper.to_array(tensor)
        if array.size == 1 and (np.abs(array) > LARGEST).all():
            tensor.CopyFrom(numpy_helper.from_array((np.sign(array) * _MASKED).astype(np.float32), tensor.name))


def _large_weights(model: Any) -> set[str]:
    """The weights that FP16 has no numbers for."""
    import numpy as np
    from onnx import TensorProto, numpy_helper

    floats = (tensor for tensor in model.graph.initializer if tensor.data_type == TensorProto.FLOAT)
    return {tensor.name for tensor in floats if np.abs(numpy_helper.to_array(tensor)).max(initial=0) > LARGEST}


def _constants(model: Any) -> Iterator[Any]:
    """Every FP32 tensor that stands in the graph."""
    from onnx import TensorProto

    inside = (attribute.t for node in model.graph.node for attribute in node.attribute)
    yield from (tensor for tensor in (*model.graph.initializer, *inside) if tensor.data_type == TensorProto.FLOAT)


def _float_tensors(model: Any) -> list[str]:
    """The FP32 tensors that nodes write, in the graph's order."""
    import onnx

    inferred = onnx.shape_inference.infer_shapes(model).graph
    values = (*inferred.value_info, *inferred.output)
    floats = {value.name for value in values if value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT}
    return [name for node in model.graph.node for name in node.output if name in floats]

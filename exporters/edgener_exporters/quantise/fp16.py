"""FP16: half precision where the values on real text leave headroom, FP32 elsewhere."""

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
_HEADROOM = 8.0  # factor by which values of other text may exceed those of the calibration text
_MASKED = 1e4  # replaces minus infinity in masks: its exponential is 0, and adding a score does not overflow
# Sums of squares and of exponentials lose too much in half precision.
_FP32_OPERATORS = {"LayerNormalization", "Softmax"}


def convert_fp16(fp32: Path, out: Path, calibration: Calibration) -> None:
    """Write the FP16 variant of an FP32 graph; inputs and outputs keep their types.

    Raises UserInputError where it is not an encoder of BERT's family, ExportError where its logits are not finite on
    the calibration text, or TensorRT would refuse it.
    """
    model = open_graph(fp32)
    find_products(model)  # refuses other graphs, whose inputs differ from the calibration text
    to_fp16(model, calibration)
    save_for_gpu(model, out, calibration)


def save_for_gpu(model: Any, out: Path, calibration: Calibration) -> None:
    """Save a graph that TensorRT accepts and whose logits are finite on the calibration text, including padding.

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
    """Convert a graph to FP16, except operators that need FP32 and values too large on the calibration text."""
    _limit_constants(model)
    floats = _float_tensors(model)
    seen = calibration.ranges(model, floats, "minmax")
    large = {name for name in floats if seen[name].size * _HEADROOM > LARGEST} | _large_weights(model)
    positions = _positions(model)
    full = {
        node.output[0]
        for node in model.graph.node
        if node.op_type in _FP32_OPERATORS or (large | positions) & {*node.input, *node.output}
    }
    _cast_to_fp16(model, set(floats), full)


def _cast_to_fp16(model: Any, floats: set[str], full: set[str]) -> None:
    """Compute in FP16, except in the nodes of `full`, named by their first output, with casts between the two."""
    from onnx import TensorProto

    changed, fp16, weights = Rewriting(), set[str](), weights_of(model)
    outputs = {value.name for value in model.graph.output}
    for node in model.graph.node:
        half = node.output[0] not in full
        for index, name in enumerate(node.input):
            if name in weights and weights[name].data_type == TensorProto.FLOAT and half:
                node.input[index] = _fp16_weight(changed, weights[name])
            elif name in floats and half != (name in fp16) and node.op_type != "Shape":
                kind, suffix = (TensorProto.FLOAT16, "fp16") if half else (TensorProto.FLOAT, "fp32")
                node.input[index] = changed.node("Cast", [name], f"{name}/{suffix}", to=kind)
        changed.nodes.append(node)
        if half:
            _retype(node)
            fp16 |= floats & set(node.output)
            _restore_outputs(changed, node, outputs & fp16)
    changed.replace_graph(model)


def _fp16_weight(changed: Rewriting, tensor: Any) -> str:
    import numpy as np
    from onnx import numpy_helper

    return changed.weight(f"{tensor.name}/fp16", lambda: numpy_helper.to_array(tensor).astype(np.float16))


def _retype(node: Any) -> None:
    """Replace FP32 by FP16 in a node's attributes."""
    import numpy as np
    from onnx import TensorProto, numpy_helper

    for attribute in node.attribute:
        if node.op_type == "Cast" and attribute.i == TensorProto.FLOAT:
            attribute.i = TensorProto.FLOAT16
        elif attribute.t.data_type == TensorProto.FLOAT:
            array = numpy_helper.to_array(attribute.t).astype(np.float16)
            attribute.t.CopyFrom(numpy_helper.from_array(array, attribute.t.name))


def _restore_outputs(changed: Rewriting, node: Any, outputs: set[str]) -> None:
    """Cast the outputs of the graph back to FP32."""
    from onnx import TensorProto

    for index, name in enumerate(node.output):
        if name in outputs:
            node.output[index] = f"{name}/fp16"
            changed.node("Cast", [node.output[index]], name, to=TensorProto.FLOAT)


def _limit_constants(model: Any) -> None:
    """Replace the single number beyond FP16 that stands for minus infinity in masks."""
    import numpy as np
    from onnx import numpy_helper

    for tensor in _constants(model):
        array = numpy_helper.to_array(tensor)
        if array.size == 1 and (np.abs(array) > LARGEST).all():
            tensor.CopyFrom(numpy_helper.from_array((np.sign(array) * _MASKED).astype(np.float32), tensor.name))


def _large_weights(model: Any) -> set[str]:
    """The weights beyond the range of FP16."""
    import numpy as np
    from onnx import TensorProto, numpy_helper

    floats = (tensor for tensor in model.graph.initializer if tensor.data_type == TensorProto.FLOAT)
    return {tensor.name for tensor in floats if np.abs(numpy_helper.to_array(tensor)).max(initial=0) > LARGEST}


def _positions(model: Any) -> set[str]:
    """The tensors that whole numbers or angles are made of: positions, exact in half precision up to 2048."""
    from onnx import TensorProto

    whole = {TensorProto.INT32, TensorProto.INT64}
    writers = {output: node for node in model.graph.node for output in node.output}
    waiting = [
        name
        for node in model.graph.node
        if node.op_type in ("Cos", "Sin") or (node.op_type == "Cast" and node.attribute[0].i in whole)
        for name in node.input
    ]
    found = set[str]()
    while waiting:
        name = waiting.pop()
        if name in writers and name not in found and writers[name].op_type != "Shape":
            found.add(name)
            waiting.extend(writers[name].input)
    return found


def _constants(model: Any) -> Iterator[Any]:
    """Every FP32 constant of the graph."""
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

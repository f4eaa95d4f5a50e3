"""The parts of an ONNX graph that TensorRT would refuse, reported before a build on the device fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from edgener_runtime.errors import ExportError

NEWEST_OPSET = 20
_FP16_SCALES_SINCE = 19
_INT32 = 2**31


@dataclass(frozen=True)
class Finding:
    """A part that TensorRT refuses: its location, the problem, and the fix."""

    where: str
    problem: str
    fix: str


def check_for_tensorrt(model: Any) -> None:
    """Raises ExportError with the first part that TensorRT would refuse, and its fix."""
    findings = lint(model)
    if findings:
        more = f" (and {len(findings) - 1} more)" if len(findings) > 1 else ""
        raise ExportError(f"TensorRT refuses {findings[0].where}: {findings[0].problem}{more}", findings[0].fix)


def lint(model: Any) -> list[Finding]:
    """All parts of a graph that TensorRT 10.3 to 11 would refuse (from its parser's messages; not run on a GPU)."""
    return [finding for rule in RULES for finding in rule(model)]


def _opset(model: Any) -> Iterator[Finding]:
    version = _version(model)
    if version > NEWEST_OPSET:
        fix = f"Export with opset {NEWEST_OPSET} or older."
        yield Finding("the graph", f"opset {version}, TensorRT 10.3 reads {NEWEST_OPSET}", fix)


def _axes(model: Any) -> Iterator[Finding]:
    """An engine's profiles give each input (rows, subwords); a further dynamic axis would have no profile."""
    for value in _inputs(model):
        sizes = [axis.dim_value or "any" for axis in value.type.tensor_type.shape.dim]
        if "any" in sizes and sizes != ["any", "any"]:
            yield Finding(
                value.name,
                f"its axes are ({', '.join(map(str, sizes))}), and profiles give (rows, subwords) of any size",
                "Export with dynamic axes for batch and sequence alone: edgener export",
            )


def _other_operators(model: Any) -> Iterator[Finding]:
    for node in model.graph.node:
        if node.domain not in ("", "ai.onnx"):
            fix = "Use the graph from before onnxruntime's optimiser: fp32, fp16 or int8-qdq."
            yield Finding(node.name, f"the operator {node.domain}.{node.op_type} is onnxruntime's own", fix)


def _dynamic_quantisation(model: Any) -> Iterator[Finding]:
    for node in model.graph.node:
        if node.op_type in ("DynamicQuantizeLinear", "MatMulInteger", "QLinearMatMul"):
            fix = "Quantise statically with Q/DQ pairs: int8-qdq."
            yield Finding(node.name, f"{node.op_type} is not among its operators", fix)


def _zero_points(model: Any) -> Iterator[Finding]:
    import numpy as np
    import onnx

    constants = _constants(model)
    for node in _quantisers(model):
        zero = constants.get(node.input[2]) if len(node.input) > 2 else None
        if zero is None:
            fix = "Give an INT8 zero point of 0."
            yield Finding(node.name, "without a constant zero point it is UINT8 or unknown", fix)
        elif zero.data_type != onnx.TensorProto.INT8:
            kind = onnx.TensorProto.DataType.Name(zero.data_type)
            yield Finding(
                node.name, f"it quantises to {kind}, expected INT8", "Quantise symmetrically to S8: int8-qdq."
            )
        elif np.any(onnx.numpy_helper.to_array(zero)):
            yield Finding(node.name, "Non-zero zero point is not supported", "Quantise symmetrically: int8-qdq.")


def _fp16_scales(model: Any) -> Iterator[Finding]:
    import onnx

    constants = _constants(model)
    if _version(model) >= _FP16_SCALES_SINCE:
        return
    for node in _quantisers(model):
        scale = constants.get(node.input[1])
        if scale is not None and scale.data_type == onnx.TensorProto.FLOAT16:
            fix = f"Export with opset {_FP16_SCALES_SINCE} or {NEWEST_OPSET}."
            yield Finding(node.name, f"an FP16 scale needs opset {_FP16_SCALES_SINCE}, found {_version(model)}", fix)


def _weights(model: Any) -> Iterator[Finding]:
    import onnx

    for name, tensor in _constants(model).items():
        if onnx.external_data_helper.uses_external_data(tensor):
            yield Finding(
                name, "its numbers are in another file", "Parse the file by its path, or save it as one file."
            )
        elif tensor.data_type in (onnx.TensorProto.UINT8, onnx.TensorProto.DOUBLE):
            kind = onnx.TensorProto.DataType.Name(tensor.data_type)
            yield Finding(name, f"{kind} numbers are not supported", "Quantise to S8, or export in FP32.")
        elif tensor.data_type == onnx.TensorProto.INT64 and _beyond_32_bits(tensor):
            fix = "Keep shapes and indices within 32 bits."
            yield Finding(name, "an INT64 number beyond 32 bits would be cut off", fix)


RULES: tuple[Callable[[Any], Iterator[Finding]], ...] = (
    _opset,
    _axes,
    _other_operators,
    _dynamic_quantisation,
    _zero_points,
    _fp16_scales,
    _weights,
)


def _beyond_32_bits(tensor: Any) -> bool:
    from onnx import numpy_helper

    return any(not -_INT32 <= int(number) < _INT32 for number in numpy_helper.to_array(tensor).ravel())


def _version(model: Any) -> int:
    return next(int(entry.version) for entry in model.opset_import if entry.domain in ("", "ai.onnx"))


def _inputs(model: Any) -> list[Any]:
    """The inputs of a run; older graphs list their weights among the inputs."""
    weights = {tensor.name for tensor in model.graph.initializer}
    return [value for value in model.graph.input if value.name not in weights]


def _quantisers(model: Any) -> list[Any]:
    return [node for node in model.graph.node if node.op_type in ("QuantizeLinear", "DequantizeLinear")]


def _constants(model: Any) -> dict[str, Any]:
    """Initialisers and the values of Constant nodes, by name."""
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        values = (attribute.t for attribute in node.attribute if attribute.name == "value")
        if node.op_type == "Constant" and (value := next(values, None)):
            constants[node.output[0]] = value
    return constants

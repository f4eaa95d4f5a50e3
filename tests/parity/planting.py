"""Faults to plant in graphs, and what other tools check: logits on random ids, every mask all ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from edgener_exporters.graph.checks import cases
from edgener_exporters.graph.graph import save_graph
from edgener_exporters.graph.onnx import input_names
from edgener_exporters.graph.roles import find_products
from edgener_exporters.quantise.int8_dynamic import quantize_dynamic

Logits = NDArray[np.float32]


def wrong_scale(role: str, factor: float) -> Callable[[Path, Path, object], None]:
    """A builder of dynamic INT8 that gets the weight scale of one product wrong by a factor."""

    def build(fp32: Path, out: Path, calibration: object) -> None:
        quantize_dynamic(fp32, out)
        (product,) = (product for product in find_products(onnx.load(fp32)) if product.role == role)
        edit_weight(out, f"{product.weight}/scale", lambda scales: scales * factor)

    return build


def edit_weight(file: Path, name: str, edit: Callable[[Any], Any]) -> None:
    model = onnx.load(file)
    (tensor,) = (tensor for tensor in model.graph.initializer if tensor.name == name)
    values = numpy_helper.to_array(tensor)
    tensor.CopyFrom(numpy_helper.from_array(edit(values).astype(values.dtype), name))
    save_graph(model, file)


def mask_as_length(fp32: Path, out: Path, calibration: object) -> None:
    """As fused attention with one length a row: so many subwords from the left are real, whatever the mask says."""
    real = [
        helper.make_node("ReduceSum", ["attention_mask", "axis"], ["lengths"], keepdims=1),
        helper.make_node("Shape", ["attention_mask"], ["width"], start=1, end=2),
        helper.make_node("Squeeze", ["width"], ["columns"]),
        helper.make_node("Range", ["zero", "columns", "one"], ["positions"]),
        helper.make_node("Less", ["positions", "lengths"], ["within"]),
        helper.make_node("Cast", ["within"], ["mask"], to=onnx.TensorProto.INT64),
    ]
    _with_mask(fp32, out, real)


def mask_ignored(fp32: Path, out: Path, calibration: object) -> None:
    """Padding is read as text."""
    ones = [
        helper.make_node("Mul", ["attention_mask", "zero"], ["zeros"]),
        helper.make_node("Add", ["zeros", "one"], ["mask"]),
    ]
    _with_mask(fp32, out, ones)


def _with_mask(fp32: Path, out: Path, nodes: list[Any]) -> None:
    """The graph with what `nodes` write to `mask` in the place of its attention mask."""
    model = onnx.load(fp32)
    for node in model.graph.node:
        node.input[:] = ["mask" if name == "attention_mask" else name for name in node.input]
    for name, value in (("zero", 0), ("one", 1), ("axis", [1])):
        model.graph.initializer.append(numpy_helper.from_array(np.array(value, dtype=np.int64), name))
    for node in reversed(nodes):
        model.graph.node.insert(0, node)
    save_graph(model, out)


def naive_fp16(fp32: Path, out: Path, calibration: object) -> None:
    """onnxruntime's converter as its documentation calls it: no look at activations."""
    from onnxruntime.transformers.float16 import convert_float_to_float16

    save_graph(convert_float_to_float16(onnx.load(fp32), keep_io_types=True), out)


def on_random_ids(fp32: Path, graph: Path, model: Any) -> tuple[Logits, Logits]:
    """Logits (subwords, labels) of both graphs on random ids of many shapes, every mask all ones."""
    return _logits(fp32, model), _logits(graph, model)


def _logits(graph: Path, model: Any) -> Logits:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(graph), options, ["CPUExecutionProvider"])
    found = [session.run(["logits"], feeds)[0] for feeds in _whole(model)]
    return np.concatenate([logits.reshape(-1, logits.shape[-1]) for logits in found])


def _whole(model: Any) -> Iterator[dict[str, Any]]:
    for case, inputs in cases(model):
        if case.endswith("whole"):
            yield {name: inputs[name] for name in input_names(model)}


def cosine(a: Logits, b: Logits) -> float:
    return float((a * b).sum() / np.linalg.norm(a) / np.linalg.norm(b))

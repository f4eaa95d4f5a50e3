"""Graphs run on the CPU, and what onnxruntime makes of them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import onnx
import onnxruntime


def session_of(graph: Path | onnx.ModelProto, disabled: tuple[str, ...] = ()) -> onnxruntime.InferenceSession:
    source = str(graph) if isinstance(graph, Path) else graph.SerializeToString()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(source, options, ["CPUExecutionProvider"], disabled_optimizers=list(disabled))


def logits_of(graph: Path | onnx.ModelProto, feeds: dict[str, Any], disabled: tuple[str, ...] = ()) -> Any:
    return session_of(graph, disabled).run(["logits"], feeds)[0]


def operators_run(graph: Path, folder: Path, disabled: tuple[str, ...] = ()) -> Counter[str]:
    """How often each operator stands in the graph that onnxruntime runs."""
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(folder / "optimised.onnx")
    options.log_severity_level = 3
    providers = ["CPUExecutionProvider"]
    onnxruntime.InferenceSession(str(graph), options, providers, disabled_optimizers=list(disabled))
    return Counter(node.op_type for node in onnx.load(options.optimized_model_filepath).graph.node)

"""Graphs optimised at export, so that a device loads them without further optimisation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from edgener_exporters.libraries import export_errors
from edgener_runtime.backends.onnxruntime.library import load_onnxruntime
from edgener_runtime.machine.devices import CPU

from .graph import save_graph


def optimise_for_cpu(file: Path, disabled_optimizers: Sequence[str]) -> None:
    """Replace a graph by the one that onnxruntime optimised, without the disabled fusions.

    Optimisations for this machine's processor are left out, and all operators are those of onnxruntime 1.23. Only for
    variants that run on the CPU alone. Raises ExportError where onnxruntime cannot load the graph.
    """
    import onnx

    onnxruntime = load_onnxruntime()

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    with TemporaryDirectory(dir=file.parent) as folder, export_errors(f"onnxruntime cannot optimise {file.name}"):
        options.optimized_model_filepath = str(Path(folder) / "optimised.onnx")
        shaped = onnx.shape_inference.infer_shapes(onnx.load(file))  # some fusions need shapes
        onnxruntime.InferenceSession(
            shaped.SerializeToString(), options, [CPU], disabled_optimizers=list(disabled_optimizers)
        )
        optimised = onnx.load(options.optimized_model_filepath)
    _drop_unused_domains(optimised)
    save_graph(optimised, file)


def _drop_unused_domains(model: Any) -> None:
    """Drop unused domains; onnxruntime declares all it knows, and an older version may not know some."""
    used = {node.domain for node in model.graph.node} | {""}
    entries = [entry for entry in model.opset_import if entry.domain in used]
    del model.opset_import[:]
    model.opset_import.extend(sorted(entries, key=lambda entry: entry.domain))

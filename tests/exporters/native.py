"""Graphs with operators of edgener-ops, computed by the operators' definition in numpy: no library is needed."""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import onnx
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun

from edgener_runtime.backends.base import UNNUMBERED
from edgener_runtime.bundle.graph import MASK
from edgener_runtime.inference.ragged import padded, unpadded

DEFINITION = Path(__file__).resolve().parents[2] / "runtime" / "ops" / "tests" / "reference.py"


@cache
def definition() -> ModuleType:
    """What the operators compute."""
    spec = importlib.util.spec_from_file_location("edgener_ops_reference", DEFINITION)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class EncoderLayer(OpRun):  # type: ignore[misc]
    """The operator of that name."""

    op_domain = "edgener"

    def _run(
        self, x: Any, offsets: Any, *weights: Any, heads: int, epsilon: float, activation: str, rotated: int
    ) -> tuple[Any]:
        defined = definition()
        qkv, output, first, second = (defined.Product(*weights[at : at + 3]) for at in (0, 3, 8, 11))
        layer = defined.Layer(qkv, output, *weights[6:8], first, second, *weights[14:16])
        return (defined.encoder_layer(x, offsets, layer, heads, epsilon, activation, bool(rotated)),)


def ragged_inputs(graph: onnx.ModelProto, fed: dict[str, Any]) -> dict[str, Any]:
    """The inputs of a graph over ragged batches for those of a padded batch."""
    unnumbered = {entry.key: int(entry.value) for entry in graph.metadata_props}.get(UNNUMBERED)
    found = unpadded(fed, unnumbered)
    return {value.name: found[value.name] for value in graph.graph.input}


def logits_by_definition(file: Path, fed: dict[str, Any]) -> Any:
    """The logits of a padded batch, 0 at its padding."""
    graph = onnx.load(file)
    found = ReferenceEvaluator(graph, new_ops=[EncoderLayer]).run(["logits"], ragged_inputs(graph, fed))[0]
    return padded(found, fed[MASK])

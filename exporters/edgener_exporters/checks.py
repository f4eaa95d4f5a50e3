"""Is an exported graph the model? Its declaration, and its numbers at many shapes and masks against PyTorch."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgener_runtime.errors import ExportError

NEWEST_IR = 10  # what onnxruntime 1.23 loads in every build
TOLERANCE = 1e-3  # largest difference of a logit; measured ones are below 5e-5
_SHAPES = ((1, 1), (1, 8), (3, 17), (2, 128))
_SEED = 20


def check_graph(file: Path, model: Any) -> None:
    """Compare a graph with its PyTorch model on whole, right-padded, left-padded and holed masks of several shapes.

    Raises ExportError with the case where the declaration, a logit or a label differs or a number is not finite.
    """
    import numpy as np
    import onnxruntime

    check_declaration(file, len(model.config.id2label))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_inputs()]
    for case, inputs in cases(model):
        expected = _torch_logits(model, {name: inputs[name] for name in names})
        found = session.run(["logits"], {name: inputs[name] for name in names})[0]
        real = inputs["attention_mask"] == 1
        if found.shape != expected.shape:
            raise ExportError(f"{file.name}, {case}: logits of shape {found.shape}, expected {expected.shape}")
        if not np.isfinite(found).all():
            raise ExportError(f"{file.name}, {case}: a logit is not finite")
        difference = float(np.abs(found - expected)[real].max())
        if difference > TOLERANCE or (found.argmax(-1) != expected.argmax(-1))[real].any():
            raise ExportError(f"{file.name}, {case}: a logit is off by {difference:.2g}, allowed {TOLERANCE:g}")


def check_declaration(file: Path, labels: int) -> None:
    """Inputs and output of a graph: int64 (batch, sequence) in, `logits` (batch, sequence, labels) out, loadable IR.

    Raises ExportError with what was found and expected.
    """
    import onnx

    graph = onnx.load(file, load_external_data=False)
    if graph.ir_version > NEWEST_IR:
        raise ExportError(f"{file.name} has IR version {graph.ir_version}, onnxruntime 1.23 reads {NEWEST_IR}")
    expected = {value.name: ("batch", "sequence") for value in graph.graph.input} | {
        "logits": ("batch", "sequence", str(labels))
    }
    for value in (*graph.graph.input, *graph.graph.output):
        shape = tuple(dim.dim_param or str(dim.dim_value) for dim in value.type.tensor_type.shape.dim)
        if shape != expected.get(value.name):
            raise ExportError(f"{file.name}: {value.name} has shape {shape}, expected {expected.get(value.name)}")


def cases(model: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Named random inputs of every shape and kind of mask, int64 arrays; each text keeps at least one subword."""
    import numpy as np

    random = np.random.default_rng(_SEED)
    longest = min(getattr(model.config, "max_position_embeddings", 512) - 2, 300)
    for rows, length in (*_SHAPES, (1, longest)):
        for mask_name, mask in _masks(rows, length):
            ids = random.integers(5, model.config.vocab_size, (rows, length))
            types = random.integers(0, max(1, getattr(model.config, "type_vocab_size", 1)), (rows, length))
            padding = getattr(model.config, "pad_token_id", None) or 0
            inputs = {
                "input_ids": np.where(mask == 1, ids, padding).astype(np.int64),
                "attention_mask": mask,
                "token_type_ids": types.astype(np.int64),
            }
            yield f"{rows} x {length} {mask_name}", inputs


def _masks(rows: int, length: int) -> Iterator[tuple[str, Any]]:
    import numpy as np

    position = np.arange(length)[None, :].repeat(rows, axis=0)
    kept = np.maximum(1, length - np.arange(1, rows + 1) * (length // 4))[:, None]
    yield "whole", np.ones((rows, length), dtype=np.int64)
    if length > 4:
        yield "right-padded", (position < kept).astype(np.int64)
        yield "left-padded", (position >= length - kept).astype(np.int64)
        yield "holed", ((position % 3 != 1) | (position == 0)).astype(np.int64)


def _torch_logits(model: Any, inputs: dict[str, Any]) -> Any:
    import torch

    with torch.no_grad():
        return model(**{name: torch.from_numpy(value) for name, value in inputs.items()}).logits.numpy()

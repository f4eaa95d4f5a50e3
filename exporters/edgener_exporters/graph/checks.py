"""Checks of an exported graph against its PyTorch model: the declaration, and the logits of many shapes and masks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from edgener_exporters.checkpoint.positions import longest_input
from edgener_exporters.libraries import export_errors
from edgener_runtime.backends.onnxruntime.library import load_onnxruntime
from edgener_runtime.errors import ExportError
from edgener_runtime.machine.devices import CPU

NEWEST_IR = 10  # the newest that every build of onnxruntime 1.23 loads
TOLERANCE = 1e-3  # largest difference of a logit; measured ones are below 5e-5
_SHAPES = ((1, 1), (1, 8), (3, 17), (2, 128))
_LONGEST = 512  # longer models are checked up to this length
_SEED = 20


def check_graph(file: Path, model: Any, names: Sequence[str]) -> None:
    """Compare a graph with its PyTorch model on whole, right-padded, left-padded and holed masks of several shapes.

    `names` are the inputs it must have. Raises ExportError with the first case in which the declaration, a logit or a
    label differs, or a number is not finite.
    """
    onnxruntime = load_onnxruntime()

    check_declaration(file, names, len(model.config.id2label))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    with export_errors(f"onnxruntime cannot run {file.name}"):
        session = onnxruntime.InferenceSession(str(file), options, providers=[CPU])
        for case, inputs in cases(model):
            feeds = {name: inputs[name] for name in names}
            found = session.run(["logits"], feeds)[0]
            _compare(f"{file.name}, {case}", found, _torch_logits(model, feeds), inputs["attention_mask"] == 1)


def _compare(where: str, found: Any, expected: Any, real: Any) -> None:
    """Compare logits with PyTorch's at the positions that are `real`, not padding."""
    import numpy as np

    if found.shape != expected.shape:
        raise ExportError(f"{where}: logits of shape {found.shape}, expected {expected.shape}")
    if not np.isfinite(found).all():
        raise ExportError(f"{where}: a logit is not finite")
    difference = float(np.abs(found - expected)[real].max())
    if difference > TOLERANCE:
        raise ExportError(f"{where}: a logit is off by {difference:.2g}, allowed {TOLERANCE:g}")
    if changed := int((found.argmax(-1) != expected.argmax(-1))[real].sum()):
        raise ExportError(f"{where}: {changed} labels differ from PyTorch's")


def check_declaration(file: Path, names: Sequence[str], labels: int) -> None:
    """Check inputs, int64 (batch, sequence), output, float32 (batch, sequence, labels), and IR version of a graph.

    Raises ExportError with the found and the expected declaration.
    """
    import onnx

    with export_errors(f"{file.name} cannot be read"):
        graph = onnx.load(file, load_external_data=False)
    if graph.ir_version > NEWEST_IR:
        raise ExportError(f"{file.name} has IR version {graph.ir_version}, onnxruntime 1.23 reads {NEWEST_IR}")
    expected: dict[str, tuple[str, ...]] = dict.fromkeys(names, ("INT64", "batch", "sequence"))
    expected["logits"] = ("FLOAT", "batch", "sequence", str(labels))
    found = {value.name: _declared(value) for value in (*graph.graph.input, *graph.graph.output)}
    for name in sorted(expected.keys() | found.keys()):
        if found.get(name) != expected.get(name):
            raise ExportError(f"{file.name}: {name} is {found.get(name)}, expected {expected.get(name)}")


def _declared(value: Any) -> tuple[str, ...]:
    """Type and dimensions of an input or output."""
    import onnx

    tensor = value.type.tensor_type
    kind = onnx.TensorProto.DataType.Name(tensor.elem_type)
    return (kind, *(dimension.dim_param or str(dimension.dim_value) for dimension in tensor.shape.dim))


def cases(model: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Named random inputs of every shape and kind of mask, int64 arrays; each row has at least one unmasked subword."""
    import numpy as np

    random = np.random.default_rng(_SEED)
    longest = min(longest_input(model), _LONGEST)
    for rows, length in (*((rows, min(length, longest)) for rows, length in _SHAPES), (1, longest)):
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
    lengths = np.maximum(1, length - np.arange(1, rows + 1) * (length // 4))[:, None]
    yield "whole", np.ones((rows, length), dtype=np.int64)
    if length > 4:
        yield "right-padded", (position < lengths).astype(np.int64)
        yield "left-padded", (position >= length - lengths).astype(np.int64)
        yield "holed", ((position % 3 != 1) | (position == 0)).astype(np.int64)


def _torch_logits(model: Any, inputs: dict[str, Any]) -> Any:
    import torch

    with torch.no_grad():
        return model(**{name: torch.from_numpy(value) for name, value in inputs.items()}).logits.numpy()

"""The export of a fine-tuned checkpoint to an FP32 ONNX graph with dynamic batch and sequence."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edgener_exporters.architectures import takes_whole_mask
from edgener_exporters.checkpoint.load import load_reference
from edgener_exporters.libraries import export_errors
from edgener_runtime.base.install import BUILD_SIDE, install_line
from edgener_runtime.errors import ExportError

from .checks import check_graph
from .constant_shapes import use_constant_shapes
from .positions import tabulated_buckets
from .tidy import tidy

OPSET = 19  # the first with FP16 scales of INT8; TensorRT reads up to 20
LARGEST = 2_000_000_000  # bytes of weights; protobuf ends at 2 GiB, including the nodes
INPUTS = ("input_ids", "attention_mask", "token_type_ids")


def export_onnx(checkpoint: Path, out: Path, exporter: str = "torch") -> tuple[str, ...]:
    """Write the FP32 graph of a token-classification checkpoint to `out` after checking it against PyTorch.

    Inputs are int64 (batch, sequence), those of INPUTS that the model has; the output `logits` is float32 (batch,
    sequence, labels). `exporter` is `torch` or `optimum`. The answer has notes for the user, such as that the graph is
    slower than it could be. Raises UserInputError where the checkpoint cannot be loaded, ExportError where the export
    or a check fails.
    """
    import onnx

    model = load_reference(checkpoint)
    _refuse_large(model)
    with export_errors(f"{exporter} cannot export {checkpoint}"), tabulated_buckets(model):
        EXPORTERS[exporter](model, checkpoint, out)
        graph = onnx.load(out)
        tidy(graph.graph)
        note = use_constant_shapes(graph)
        onnx.save(graph, out)
    check_graph(out, model, input_names(model))
    return (note,) if note else ()


def input_names(model: Any) -> tuple[str, ...]:
    """The inputs among INPUTS that the model takes and uses."""
    import inspect

    taken = inspect.signature(model.forward).parameters
    has_types = getattr(model.config, "type_vocab_size", 0) > 1
    return tuple(name for name in INPUTS if name in taken and (name != "token_type_ids" or has_types))


def _refuse_large(model: Any) -> None:
    size = sum(parameter.numel() * parameter.element_size() for parameter in model.parameters())
    if size > LARGEST:
        raise ExportError(
            f"the model's weights take {size / 1e9:.1f} GB in FP32, one ONNX file holds {LARGEST / 1e9:.0f} GB",
            "Fine-tune a smaller encoder.",
        )


def _export_with_torch(model: Any, checkpoint: Path, out: Path) -> None:
    import torch

    names = input_names(model)
    ids = torch.tensor([[1, 2, 3, 4], [1, 2, 3, 0]])
    examples = {"input_ids": ids, "attention_mask": (ids > 0).long(), "token_type_ids": torch.zeros_like(ids)}
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # tracing warnings about shapes, which check_graph tests
        torch.onnx.export(
            _logits_module(model, names).eval(),
            tuple(examples[name] for name in names),
            str(out),
            input_names=list(names),
            output_names=["logits"],
            dynamic_axes={name: {0: "batch", 1: "sequence"} for name in (*names, "logits")},
            opset_version=OPSET,
            dynamo=False,
        )


def _logits_module(model: Any, names: tuple[str, ...]) -> Any:
    """The model with positional inputs and bare logits, as the tracer requires."""
    import torch
    import transformers

    # transformers 5 adds forty nodes for a mask of two dimensions; most models use one of four dimensions unchanged
    whole_mask = int(transformers.__version__.split(".")[0]) >= 5 and takes_whole_mask(model.config.model_type)

    class Logits(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, *values: Any) -> Any:
            inputs = dict(zip(names, values, strict=True))
            if whole_mask:
                seen = inputs["attention_mask"][:, None, None, :] != 0
                inputs["attention_mask"] = torch.where(seen, 0.0, torch.finfo(torch.float32).min)
            return self.model(**inputs).logits

    return Logits()


def _export_with_optimum(model: Any, checkpoint: Path, out: Path) -> None:
    try:
        from optimum.exporters.onnx import onnx_export_from_model
    except ImportError as error:
        raise ExportError(
            f"optimum's ONNX exporter is not installed: {error}",
            "It does not work with transformers 5; in a separate environment: " + install_line("optimum", BUILD_SIDE),
        ) from None
    import tempfile

    with tempfile.TemporaryDirectory(dir=out.parent) as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        onnx_export_from_model(
            model, Path(folder), task="token-classification", opset=OPSET, do_validation=False, no_post_process=True
        )
        _rename_dimensions(Path(folder) / "model.onnx", out)


def _rename_dimensions(source: Path, out: Path) -> None:
    """Rename optimum's batch_size and sequence_length to batch and sequence."""
    import onnx

    graph = onnx.load(source)
    for value in (*graph.graph.input, *graph.graph.output):
        dimensions = value.type.tensor_type.shape.dim
        for dimension, name in zip(dimensions, ("batch", "sequence"), strict=False):
            dimension.dim_param = name
    onnx.save(graph, out)


EXPORTERS: dict[str, Callable[[Any, Path, Path], None]] = {
    "torch": _export_with_torch,
    "optimum": _export_with_optimum,
}

"""The run of an FP32 graph at every length of a window, without the cost of its products with weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from edgener_exporters.libraries import export_errors
from edgener_runtime.backends.onnxruntime.library import load_onnxruntime
from edgener_runtime.errors import ExportError
from edgener_runtime.machine.devices import CPU
from edgener_runtime.text.tokenize import TextTokenizer

_EVERY = 512  # every length up to here, as attention over thousands of subwords takes seconds and gigabytes
_MOST = 4096  # the longest of all: beyond it positions are rotary, or the end of their table is known


def window_lengths(shortest: int, longest: int) -> list[int]:
    """Every length up to 512; beyond it the powers of two, one subword less than these, and the longest up to 4,096."""
    last = min(longest, _MOST)
    beyond = {last, *(2**exponent - less for exponent in range(10, 13) for less in (0, 1))}
    return sorted(
        {*range(shortest, min(last, _EVERY) + 1), *(length for length in beyond if shortest <= length <= last)}
    )


def check_lengths(file: Path, tokenizer: TextTokenizer, text: str, start: Callable[[int], Callable[[], None]]) -> None:
    """Run the first subwords of `text`, repeated as needed, in a window of every length.

    What depends on the length are positions, masks and shapes. Products with weights do not, and take most of the time:
    each is replaced by one of rank one, of the same shape. `start` gets the number of lengths and returns what is
    called after each. Raises ExportError with the first length that the graph cannot run.
    """
    import numpy as np

    ends = len(tokenizer.prefix) + len(tokenizer.suffix)
    lengths = window_lengths(ends, tokenizer.settings.max_length)
    step, ids = start(len(lengths)), _subwords(tokenizer, text)
    session = _session(file)
    for length in lengths:
        inside = [ids[at % len(ids)] for at in range(length - ends)]
        row = np.array([[*tokenizer.prefix, *inside, *tokenizer.suffix]], dtype=np.int64)
        _run(session, row, file.name)
        step()


def _run(session: Any, row: Any, name: str) -> None:
    import numpy as np

    length = row.shape[1]
    feeds = {"input_ids": row, "attention_mask": np.ones_like(row), "token_type_ids": np.zeros_like(row)}
    with export_errors(f"{name} cannot run a window of {length} subwords"):
        found = session.run(["logits"], {value.name: feeds[value.name] for value in session.get_inputs()})[0]
    if found.shape[:2] != row.shape:
        raise ExportError(f"{name}: a window of {length} subwords gives logits of shape {found.shape}")
    if not np.isfinite(found).all():
        raise ExportError(f"{name}: a window of {length} subwords gives a logit that is not finite")


def _subwords(tokenizer: TextTokenizer, text: str) -> Sequence[int]:
    ids: Sequence[int] = tokenizer.encode([text])[0].ids
    return ids or [*tokenizer.prefix, *tokenizer.suffix]


def _session(file: Path) -> Any:
    import onnx

    onnxruntime = load_onnxruntime()
    model = onnx.load(file)
    _flatten_products(model.graph)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    with export_errors(f"onnxruntime cannot load {file.name}"):
        return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=[CPU])


def _flatten_products(graph: Any) -> None:
    """Replace x @ w by mean(x) @ (row of column sums of w): the same for an x whose columns are equal."""
    from onnx import helper, numpy_helper

    weights = {tensor.name: tensor for tensor in graph.initializer if len(tensor.dims) == 2}
    nodes: list[Any] = []
    for node in graph.node:
        if node.op_type == "MatMul" and node.input[1] in weights:
            row, mean = f"{node.output[0]}.row", f"{node.output[0]}.mean"
            sums = numpy_helper.to_array(weights[node.input[1]]).sum(axis=0, keepdims=True)
            graph.initializer.append(numpy_helper.from_array(sums, row))
            nodes.append(helper.make_node("ReduceMean", [node.input[0], _LAST], [mean], keepdims=1))
            node.input[0], node.input[1] = mean, row
        nodes.append(node)
    graph.initializer.append(helper.make_tensor(_LAST, 7, [1], [-1]))
    del graph.node[:]
    graph.node.extend(nodes)
    _drop_unused(graph)


_LAST = "last axis"


def _drop_unused(graph: Any) -> None:
    used = {name for node in graph.node for name in node.input}
    kept = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)

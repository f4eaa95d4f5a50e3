"""The files of a bundle against its manifest: a variant's graph, and the tokenizer."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from edgener_runtime.base.printable import escaped
from edgener_runtime.base.serde import parse_strictly
from edgener_runtime.errors import BundleError

from .graph import (
    FLOAT,
    FLOAT16,
    IDS,
    INT64,
    OFFSETS,
    OUTPUT,
    POSITIONS,
    TYPES,
    GraphInterface,
    GraphValue,
    read_interface,
)  # fmt: skip
from .manifest import Manifest, TokenizerSettings, VariantEntry
from .wire import Data

# The tables of positions and subwords by the names that exports of Hugging Face's encoders give them; a quantised one
# has its type behind the name.
_POSITIONS = re.compile(r"(?:.*\.)?embeddings\.position_embeddings\.weight(?:/int8)?")
_SUBWORDS = re.compile(r"(?:.*\.)?embeddings\.word_embeddings\.weight(?:/int8)?")
_NUMBERS_PER_BYTE = 8  # of the smallest type
_HINT = "Copy the bundle again, or export it again: edgener export"


def require_graph(path: Path, data: Data, manifest: Manifest, variant: VariantEntry) -> None:
    """Raise BundleError where a graph does not have the inputs, labels and lengths that its manifest says.

    Weights in other files are refused: onnxruntime would read any file of the machine as weights.
    """
    try:
        interface = read_interface(data)
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{path} cannot be read as an ONNX graph: {error}", _HINT) from None
    for fault in chain(_weight_faults(interface, len(data)), _graph_faults(interface, manifest, variant)):
        raise BundleError(f"{path} {escaped(fault)}", _HINT)


def _weight_faults(graph: GraphInterface, size: int) -> Iterator[str]:
    """Weights that the file is too small for; onnxruntime would report that the memory is."""
    for name, sizes in graph.weights.items():
        if math.prod(sizes) > _NUMBERS_PER_BYTE * size:
            yield f"has the sizes {list(sizes)} for the weight {name!r}, and {size} bytes in all"


def _graph_faults(graph: GraphInterface, manifest: Manifest, variant: VariantEntry) -> Iterator[str]:
    if graph.elsewhere:
        yield f"keeps the weight {graph.elsewhere[0]!r} in another file; expected all weights in the graph's own"
    ragged = variant.requirements.operators > 0
    names, expected = [value.name for value in graph.inputs], _inputs(manifest.tokenizer, ragged)
    if sorted(names) != sorted(expected):
        yield f"has the inputs {', '.join(names) or '(none)'}; by the manifest it has {', '.join(expected)}"
    for value in graph.inputs:
        yield from _input_faults(value, manifest.tokenizer, 1 if ragged else 2)
    outputs = [value for value in graph.outputs if value.name == OUTPUT]
    if not outputs:
        yield f"has the outputs {', '.join(value.name for value in graph.outputs) or '(none)'}; expected {OUTPUT}"
    for value in outputs:
        yield from _output_faults(value, len(manifest.labels), 2 if ragged else 3)
    yield from _table_faults(graph, manifest.tokenizer)


def _inputs(settings: TokenizerSettings, ragged: bool) -> tuple[str, ...]:
    """The inputs of a graph for padded batches, or for ragged ones, which have no mask."""
    if not ragged:
        return settings.inputs
    return IDS, POSITIONS, *(name for name in settings.inputs if name == TYPES), OFFSETS


def _input_faults(value: GraphValue, settings: TokenizerSettings, rank: int) -> Iterator[str]:
    if value.type != INT64 or len(value.shape) not in (0, rank):
        yield f"has the input {value.name} of {value}; expected int64 {_sizes(rank)}"
    for size in value.shape[:1]:
        if size is not None:
            yield f"takes {size} texts at once in its input {value.name}; expected any number"
    for size in value.shape[1:]:
        if size is not None:
            yield (
                f"takes {size} subwords in its input {value.name}; expected any number up to the manifest's "
                f"max_length, {settings.max_length}"
            )


def _output_faults(value: GraphValue, labels: int, rank: int) -> Iterator[str]:
    if value.type not in (FLOAT, FLOAT16) or len(value.shape) not in (0, rank):
        yield f"has the output {value.name} of {value}; expected float32 or float16 {_sizes(rank - 1, labels)}"
    elif value.shape and value.shape[-1] not in (None, labels):
        yield f"scores {value.shape[-1]} labels; the manifest has {labels}"


def _sizes(free: int, *fixed: int) -> str:
    return f"[{', '.join(['any'] * free + [*map(str, fixed)])}]"


def _table_faults(graph: GraphInterface, settings: TokenizerSettings) -> Iterator[str]:
    for name, sizes in graph.weights.items():
        if len(sizes) != 2:
            continue
        if _POSITIONS.fullmatch(name) and settings.max_length > sizes[0]:
            yield f"has embeddings for {sizes[0]} positions; the manifest's max_length is {settings.max_length}"
        if _SUBWORDS.fullmatch(name) and settings.pad_id >= sizes[0]:
            yield f"has embeddings for {sizes[0]} subwords; the manifest's pad_id is {settings.pad_id}"
        if _SUBWORDS.fullmatch(name) and settings.embeddings is not None and settings.embeddings > sizes[0]:
            yield f"has embeddings for {sizes[0]} subwords; the manifest says {settings.embeddings}"


def require_json(path: Path, data: bytes) -> Any:
    """The value of a JSON file. Raises BundleError where it has none, or more than one: a key twice, or NaN."""
    try:
        return parse_strictly(data)
    except ValueError as error:
        raise BundleError(f"{path} is damaged: {escaped(str(error))}", _HINT) from None

"""What moves the logits of int8-dynamic: its quantisation, the noise of other exact kernels, and sums that saturate.

    python benchmarks/golden_bounds.py out/bundle/variants/fp32.onnx out/bundle/tokenizer.json --out result.json

quantises an FP32 graph and runs texts of the built-in set, each alone. Of a text it takes the largest difference of a
label's largest logit, and writes the median and the largest of all texts: from FP32; with a relative noise in every
weight that is not quantised, as a stand-in for kernels that sum in another order; and, on a CPU without VNNI, between
full-range weights that saturate there and the same weights unsigned, whose products are exact. The bounds of golden
vectors (edgener/parity/golden.py) follow from it.
"""

from __future__ import annotations

import json
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import click
import numpy as np
import onnx
from onnx import numpy_helper
from tokenizers import Tokenizer

from edgener.data.factory import factory_splits
from edgener_exporters.graph.weights import column_scales
from edgener_exporters.quantise.int8_dynamic import quantize_dynamic
from edgener_runtime.backends.onnxruntime.library import load_onnxruntime
from edgener_runtime.machine.cpu import isa
from edgener_runtime.machine.devices import CPU

NOISES, SEEDS = (1e-7, 3e-7, 1e-6), (0, 1)
WEIGHT_AND_ZERO_POINT = {"MatMulInteger": (1, 3), "QAttention": (1, 7)}
Answers = list[Any]


@click.command()
@click.argument("fp32", type=click.Path(path_type=Path, exists=True))
@click.argument("tokenizer", type=click.Path(path_type=Path, exists=True))
@click.option("--texts", default=40, show_default=True, help="Texts of the built-in set.")
@click.option("--out", type=click.Path(path_type=Path), help="Write the result to this file.")
def main(fp32: Path, tokenizer: Path, texts: int, out: Path | None) -> None:
    """Measure and print the differences."""
    splitter = Tokenizer.from_file(str(tokenizer))
    splitter.no_padding()
    splitter.no_truncation()
    rows = [splitter.encode(sentence.text).ids for sentence in factory_splits()["test"].sentences[:texts]]
    with tempfile.TemporaryDirectory() as scratch:
        found = measure(fp32, Path(scratch), rows)
    record = json.dumps(
        {"texts": texts, "isa": isa(), "onnxruntime": load_onnxruntime().__version__, **found}, indent=2
    )
    click.echo(record)
    if out:
        out.write_text(record + "\n", encoding="utf-8")


def measure(fp32: Path, folder: Path, rows: Sequence[list[int]]) -> dict[str, Any]:
    """Each difference by its name."""
    int8 = folder / "int8.onnx"
    quantize_dynamic(fp32, int8)
    known = run(int8, rows)
    found: dict[str, Any] = {"fp32": differences(run(fp32, rows), known)}
    for noise in NOISES:
        moved = [run(noisy(int8, folder / "noisy.onnx", noise, seed), rows) for seed in SEEDS]
        found[f"noise {noise:g}"] = [differences(answers, known) for answers in moved]
    if "avx2" in isa() and "vnni" not in isa():
        full = folder / "full.onnx"
        with (
            patch("edgener_exporters.quantise.int8.safe_column_scales", column_scales),
            patch("edgener_exporters.quantise.fused_attention.safe_column_scales", column_scales),
        ):
            quantize_dynamic(fp32, full)
        found["saturating"] = differences(run(full, rows), run(unsigned(full, folder / "exact.onnx"), rows))
    return found


def differences(answers: Answers, others: Answers) -> dict[str, float]:
    """The median and the largest of the differences of texts."""
    each = [
        float(np.abs(one.max(axis=0) - other.max(axis=0)).max()) for one, other in zip(answers, others, strict=True)
    ]
    return {"median": round(statistics.median(each), 4), "largest": round(max(each), 4)}


def run(graph: Path, rows: Sequence[list[int]]) -> Answers:
    """The logits (subwords, labels) of each row alone."""
    session = load_onnxruntime().InferenceSession(str(graph), providers=[CPU])
    names = {value.name for value in session.get_inputs()}
    answers = []
    for row in rows:
        ids = np.array([row], dtype=np.int64)
        inputs = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        answers.append(session.run(None, {name: array for name, array in inputs.items() if name in names})[0][0])
    return answers


def noisy(graph: Path, out: Path, noise: float, seed: int) -> Path:
    """The graph with each float weight off by a normal relative error."""
    model, random = onnx.load(graph), np.random.default_rng(seed)
    for weight in model.graph.initializer:
        if weight.data_type == onnx.TensorProto.FLOAT and "scale" not in weight.name:
            array = numpy_helper.to_array(weight)
            moved = array * (1 + noise * random.standard_normal(array.shape))
            weight.CopyFrom(numpy_helper.from_array(moved.astype(np.float32), weight.name))
    onnx.save(model, out)
    return out


def unsigned(graph: Path, out: Path) -> Path:
    """The graph with INT8 weights and zero points shifted by 128: the same products, without saturation."""
    model = onnx.load(graph)
    shifted = {node.input[at] for node in model.graph.node for at in WEIGHT_AND_ZERO_POINT.get(node.op_type, ())}
    for weight in model.graph.initializer:
        if weight.name in shifted:
            array = numpy_helper.to_array(weight).astype(np.int32) + 128
            weight.CopyFrom(numpy_helper.from_array(array.astype(np.uint8), weight.name))
    onnx.save(model, out)
    return out


if __name__ == "__main__":
    main()

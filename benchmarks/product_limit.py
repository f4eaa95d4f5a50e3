"""How far a variant is from its bare INT8 products, and where the rest of its time goes.

    python benchmarks/product_limit.py out/bundle --out benchmarks/results/peers/limit.json

The limit is the same weights and shapes in a graph of MatMulInteger alone, in turns with the variant; the profile is
onnxruntime's own, with medians over runs.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import click
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from rich.console import Console
from rich.table import Table

from edgener_runtime.bundle.manifest import VariantEntry
from edgener_runtime.bundle.verify import verify_bundle
from edgener_runtime.machine.cpu import cpu_model, isa, usable_cores
from edgener_runtime.machine.devices import CPU

SHAPES = ((1, 8), (1, 16), (1, 32), (1, 64), (24, 20), (8, 64))  # texts of subwords
ROUNDS, RUNS = 30, 10
PRODUCTS = ("MatMulIntegerToFloat", "DynamicQuantizeMatMul", "QAttention")  # their second input is the weight


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("--variant", default="int8-dynamic", show_default=True, help="One whose products are INT8.")
@click.option("--threads", default=usable_cores(), show_default=True, help="Of a run.")
@click.option("--out", type=click.Path(path_type=Path), help="Write the figures there as JSON.")
def main(bundle: Path, variant: str, threads: int, out: Path | None) -> None:
    """Measure a variant of BUNDLE against its products alone."""
    entry = verify_bundle(bundle).variant(variant)
    model = onnx.load(bundle / entry.file.path)
    whole = _session(model, entry, threads)
    bare = _session(products_alone(model), entry, threads)
    rows = [_compare(whole, bare, texts, subwords) for texts, subwords in SHAPES]
    profiles = {f"{texts} x {subwords}": profile(model, entry, threads, texts, subwords) for texts, subwords in SHAPES}
    _show(rows, profiles)
    if out:
        machine = {"cpu": cpu_model(), "isa": isa(), "threads": threads, "onnxruntime": onnxruntime.__version__}
        record = {"variant": variant, **machine, "limit": rows, "profile": profiles}
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def products_alone(model: Any) -> Any:
    """The graph's INT8 products with their weights, each on a row of ready-made uint8, and nothing else."""
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    chosen = [weights[node.input[1]] for node in model.graph.node if node.op_type in PRODUCTS]
    nodes, inputs, outputs = [], {}, []
    for number, weight in enumerate(chosen):
        width, height = weight.dims
        inputs[width] = helper.make_tensor_value_info(f"rows{width}", TensorProto.UINT8, [None, width])
        nodes.append(helper.make_node("MatMulInteger", [f"rows{width}", weight.name, "zero"], [f"y{number}"]))
        outputs.append(helper.make_tensor_value_info(f"y{number}", TensorProto.INT32, [None, height]))
    zero = numpy_helper.from_array(np.array(128, dtype=np.uint8), "zero")
    graph = helper.make_graph(nodes, "products", list(inputs.values()), outputs, [*chosen, zero])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)


def profile(model: Any, entry: VariantEntry, threads: int, texts: int, subwords: int) -> dict[str, float]:
    """Share of the time of a run by operator, the largest first."""
    with tempfile.TemporaryDirectory() as folder:
        session = _session(model, entry, threads, Path(folder) / "profile")
        for _ in range(ROUNDS):
            session.run(None, _feeds(session, texts, subwords))
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    times: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            times[event["args"]["op_name"]][event["name"]].append(event["dur"])
    sums = {operator: sum(median(runs) for runs in nodes.values()) for operator, nodes in times.items()}
    total = sum(sums.values())
    return {operator: round(spent / total, 4) for operator, spent in sorted(sums.items(), key=lambda item: -item[1])}


def _compare(whole: Any, bare: Any, texts: int, subwords: int) -> dict[str, float]:
    """Milliseconds of a run of both, medians of rounds in turns, and subwords a second."""
    runs: dict[str, Callable[[], object]] = {
        name: partial(session.run, None, _feeds(session, texts, subwords))
        for name, session in (("model", whole), ("products", bare))
    }
    rounds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(ROUNDS):
        for name, run in runs.items():
            run()
            start = time.perf_counter()
            for _ in range(RUNS):
                run()
            rounds[name].append(1000 * (time.perf_counter() - start) / RUNS)
    found = {name: median(times) for name, times in rounds.items()}
    return {
        "texts": texts, "subwords": subwords, "model_ms": found["model"], "products_ms": found["products"],
        "share": found["products"] / found["model"],
        "model_subwords_per_second": 1000 * texts * subwords / found["model"],
        "limit_subwords_per_second": 1000 * texts * subwords / found["products"],
    }  # fmt: skip


def _feeds(session: Any, texts: int, subwords: int) -> dict[str, Any]:
    """Random ids for the model, random rows for products."""
    chance = np.random.default_rng(1)
    fed = {}
    for value in session.get_inputs():
        if value.type == "tensor(uint8)":
            fed[value.name] = chance.integers(0, 255, (texts * subwords, value.shape[1])).astype(np.uint8)
        else:
            highest = {"input_ids": 10_000, "token_type_ids": 2, "attention_mask": 2}[value.name]
            lowest = 1 if value.name == "attention_mask" else 0
            fed[value.name] = chance.integers(lowest, highest, (texts, subwords))
    return fed


def _session(model: Any, entry: VariantEntry, threads: int, profile_to: Path | None = None) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    if profile_to:
        options.enable_profiling = True
        options.profile_file_prefix = str(profile_to)
    return onnxruntime.InferenceSession(
        model.SerializeToString(),
        options,
        [CPU],
        disabled_optimizers=list(entry.disabled_optimizers),
    )


def _show(rows: list[dict[str, float]], profiles: dict[str, dict[str, float]]) -> None:
    console = Console()
    table = Table("texts x subwords", "model ms", "products ms", "share", "subwords/s", "limit")
    for row in rows:
        table.add_row(
            f"{row['texts']} x {row['subwords']}", f"{row['model_ms']:.2f}", f"{row['products_ms']:.2f}",
            f"{row['share']:.0%}", f"{row['model_subwords_per_second']:,.0f}",
            f"{row['limit_subwords_per_second']:,.0f}",
        )  # fmt: skip
    console.print(table)
    for shape, shares in profiles.items():
        told = ", ".join(f"{operator} {share:.0%}" for operator, share in list(shares.items())[:9])
        console.print(f"{shape}: {told}")


if __name__ == "__main__":
    main()

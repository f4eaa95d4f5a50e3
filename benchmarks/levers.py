"""What each lever on int8-dynamic's speed is worth on this machine, one at a time against the plain graph.

    python benchmarks/levers.py out/checkpoint --out benchmarks/results/levers/int8-dynamic.json

Graphs and session options in turns, round by round; medians, as times of the plain graph's. How texts are put together
(threads, runs at once, subwords a run, spinning) is what `edgener-runtime tune --json` measures.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from typing import Any

import click
import numpy as np
import onnx
from lever_graphs import (
    gelu_as,
    int32_inputs,
    merged_products,
    multi_head,
    multi_head_unmasked,
    unchanged,
)
from rich.console import Console
from rich.table import Table

from edgener.progress import tracked
from edgener_exporters.graph.graph import open_graph
from edgener_exporters.graph.onnx import export_onnx
from edgener_exporters.graph.optimise import optimise_for_cpu
from edgener_exporters.quantise.int8 import quantize_products
from edgener_exporters.quantise.int8_dynamic import dynamic_product, quantize_dynamic
from edgener_runtime.backends.onnxruntime.library import load_onnxruntime
from edgener_runtime.machine.cpu import cpu_model, isa, usable_cores
from edgener_runtime.machine.devices import CPU

SHAPES = ((1, 8), (1, 16), (1, 32), (1, 64), (12, 20), (24, 20))  # texts of subwords
SKIP_LAYER_NORM = "SkipLayerNormFusion"
SECONDS = 0.05  # about how long one lever runs in a round
BASE = "plain"
PLAIN, SHIPPED, RAW = "plain.onnx", "shipped.onnx", "raw.onnx"  # raw: as shipped, before it is optimised at export
SETTLE = 0.1  # seconds before it: the threads of the lever before spin on for a while


@dataclass(frozen=True)
class Lever:
    """One change: of the plain graph, of the session's options or configuration, or of how a run gets its buffers."""

    change: Callable[[Any], Any] = unchanged
    graph: str = PLAIN
    options: dict[str, Any] = field(default_factory=dict)
    config: dict[str, str] = field(default_factory=dict)
    fusions_off: tuple[str, ...] = (SKIP_LAYER_NORM,)
    bound: bool = False


LEVERS = {
    BASE: Lever(),
    "SkipLayerNorm fused": Lever(fusions_off=()),
    "attention: MultiHeadAttention": Lever(multi_head),
    "attention: MultiHeadAttention without a mask": Lever(multi_head_unmasked),
    "attention: QAttention (as shipped)": Lever(graph=SHIPPED),
    "query, key and value in one product": Lever(merged_products),
    "GELU: FastGelu": Lever(gelu_as("FastGelu")),
    "GELU: none (Relu, a limit)": Lever(gelu_as("Relu")),
    "int32 inputs": Lever(int32_inputs),
    "memory arena off": Lever(options={"enable_cpu_mem_arena": False}),
    "memory pattern off": Lever(options={"enable_mem_pattern": False}),
    "spinning off": Lever(config={"session.intra_op.allow_spinning": "0"}),
    "spinning ends with the run": Lever(config={"session.force_spinning_stop": "1"}),
    "one thread": Lever(options={"threads": 1}),
    "reused buffers (IO binding)": Lever(bound=True),
}


@click.command()
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.option("--before", type=click.Path(path_type=Path), help="An older export's graph, measured beside.")
@click.option("--threads", default=usable_cores(), show_default=True, help="Of a run.")
@click.option("--rounds", type=click.IntRange(2), default=9, show_default=True, help="Of all levers in turns.")
@click.option("--out", type=click.Path(path_type=Path), help="Write the figures there as JSON.")
def main(checkpoint: Path, before: Path | None, threads: int, rounds: int, out: Path | None) -> None:
    """Measure the levers on the dynamic INT8 form of CHECKPOINT."""
    with TemporaryDirectory() as folder:
        _make_graphs(checkpoint, Path(folder))
        sessions = {name: (_session(Path(folder), lever, threads), lever) for name, lever in LEVERS.items()}
        loads = _loads(Path(folder), threads, rounds)
    if before:
        older = Lever(graph=before.name)
        sessions["an older export"] = (_session(before.parent, older, threads), older)
    same = {name: _largest_difference(sessions, name) for name in sessions}
    with tracked() as track:
        step = track("rounds", len(SHAPES) * rounds)
        rows = {f"{shape[0]} x {shape[1]}": _measure(sessions, shape, rounds, step) for shape in SHAPES}
    _show(rows, same)
    Console().print("ms to load: " + ", ".join(f"{graph} {spent:.0f}" for graph, spent in loads.items()))
    if out:
        machine = {"cpu": cpu_model(), "isa": isa(), "threads": threads, "onnxruntime": load_onnxruntime().__version__}
        record = {**machine, "rounds": rounds, "load_ms": loads, "logits": same, "milliseconds": rows}
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def _loads(folder: Path, threads: int, rounds: int) -> dict[str, float]:
    """Milliseconds to load the graph as it ships, and as it is before it is optimised at export; medians in turns."""
    found: dict[str, list[float]] = {SHIPPED: [], RAW: []}
    for _ in range(rounds):
        for graph, times in found.items():
            start = time.perf_counter()
            _session(folder, Lever(graph=graph), threads)
            times.append(1000 * (time.perf_counter() - start))
    return {Path(graph).stem: median(times) for graph, times in found.items()}


def _measure(
    sessions: dict[str, Any], shape: tuple[int, int], rounds: int, step: Callable[[], None]
) -> dict[str, dict[str, float]]:
    """Median and quartiles of a run's milliseconds by lever, and the median of its ratio to the plain one's."""
    runs = {name: _run(session, lever, *shape) for name, (session, lever) in sessions.items()}
    times: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        run()
    for _ in range(rounds):
        for name, run in runs.items():
            times[name].append(_milliseconds(run))
        step()
    base = times[BASE]
    return {
        name: {
            "median": median(own), "low": quantiles(own)[0], "high": quantiles(own)[2],
            "ratio": median(one / other for one, other in zip(own, base, strict=True)),
        }
        for name, own in times.items()
    }  # fmt: skip


def _milliseconds(run: Callable[[], object]) -> float:
    """Of one run, by as many as fit the time."""
    time.sleep(SETTLE)
    run()
    start, count = time.perf_counter(), 0
    while time.perf_counter() - start < SECONDS or not count:
        run()
        count += 1
    return 1000 * (time.perf_counter() - start) / count


def _run(session: Any, lever: Lever, texts: int, subwords: int) -> Callable[[], object]:
    fed = _feeds(session, texts, subwords)
    if not lever.bound:
        return partial(session.run, ["logits"], fed)
    binding = session.io_binding()
    for name, array in fed.items():
        binding.bind_cpu_input(name, array)
    labels = session.get_outputs()[0].shape[-1]
    buffer = load_onnxruntime().OrtValue.ortvalue_from_shape_and_type((texts, subwords, labels), np.float32)
    binding.bind_ortvalue_output("logits", buffer)
    return partial(session.run_with_iobinding, binding)


def _largest_difference(sessions: dict[str, Any], name: str) -> float:
    """Of logits to the plain graph's, on texts without padding."""
    found, expected = (
        sessions[which][0].run(["logits"], _feeds(sessions[which][0], 4, 24))[0] for which in (name, BASE)
    )
    return float(np.abs(found - expected).max())


def _feeds(session: Any, texts: int, subwords: int) -> dict[str, Any]:
    chance = np.random.default_rng(1)
    arrays = {
        "input_ids": chance.integers(1000, 20_000, (texts, subwords)),
        "attention_mask": np.ones((texts, subwords), dtype=np.int64),
        "token_type_ids": chance.integers(0, 2, (texts, subwords)),
    }
    types = {value.name: value.type for value in session.get_inputs()}
    return {name: arrays[name].astype(np.int32 if "int32" in kind else np.int64) for name, kind in types.items()}


def _make_graphs(checkpoint: Path, folder: Path) -> None:
    """Both forms: products and attention as they stand, and as int8-dynamic ships."""
    export_onnx(checkpoint, folder / "fp32.onnx")
    quantize_products(open_graph(folder / "fp32.onnx"), folder / PLAIN, dynamic_product)
    quantize_dynamic(folder / "fp32.onnx", folder / SHIPPED)
    shutil.copyfile(folder / SHIPPED, folder / RAW)
    for name in (PLAIN, SHIPPED):
        optimise_for_cpu(folder / name, (SKIP_LAYER_NORM,))


def _session(folder: Path, lever: Lever, threads: int) -> Any:
    onnxruntime = load_onnxruntime()
    options = onnxruntime.SessionOptions()
    wanted = dict(lever.options)
    options.intra_op_num_threads = wanted.pop("threads", threads)
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    for key, value in lever.config.items():
        options.add_session_config_entry(key, value)
    for name, value in wanted.items():
        setattr(options, name, value)
    file = folder / lever.graph
    graph = str(file) if lever.change is unchanged else lever.change(onnx.load(file)).SerializeToString()
    return onnxruntime.InferenceSession(graph, options, [CPU], disabled_optimizers=list(lever.fusions_off))


def _show(rows: dict[str, dict[str, dict[str, float]]], same: dict[str, float]) -> None:
    table = Table("lever", *(f"{shape} ms" for shape in rows), "logits differ by")
    for name, difference in same.items():
        cells = (f"{row[name]['median']:.2f} ({row[name]['ratio']:.2f})" for row in rows.values())
        table.add_row(name, *cells, f"{difference:.2g}")
    Console(width=190).print(table)


if __name__ == "__main__":
    main()

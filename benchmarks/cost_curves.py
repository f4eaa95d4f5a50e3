"""What a run of a model costs as texts get longer and more run together, against what this machine could do at most.

    python benchmarks/cost_curves.py out/checkpoint --random-base --out benchmarks/results/cost/epyc-zen4.json

Ids in and logits out, no padding, without tokenising and decoding; `python benchmarks/cost_picture.py FILE` draws it.
The rooflines (Williams, Waterman and Patterson 2009) are measured too: products of large square matrices by the same
onnxruntime, and reading as many bytes over and over as the weights have, which may well lie in a cache.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import click
import numpy as np
from onnx import helper, numpy_helper

from edgener.progress import tracked
from edgener_exporters.graph.onnx import export_onnx
from edgener_exporters.graph.optimise import optimise_for_cpu
from edgener_exporters.quantise.int8_dynamic import quantize_dynamic
from edgener_runtime.backends.onnxruntime.library import load_onnxruntime
from edgener_runtime.base.files import write_atomic
from edgener_runtime.machine.cpu import cpu_model, isa, usable_cores
from edgener_runtime.machine.devices import CPU

LENGTHS = (16, 32, 64, 128, 256, 512)
BATCHES = (1, 2, 4, 8, 16, 32, 64)
UNFUSED = ("SkipLayerNormFusion",)
SECONDS = 0.2  # about how long one shape runs in a round
SIDE = 2048  # of the matrices whose product is the roof


@dataclass(frozen=True)
class Form:
    """How a variant multiplies: onnxruntime's operator, the types of an input, of a weight and of what comes out."""

    operator: str
    given: str
    weight: str
    told: str


FORMS = {
    "fp32": Form("MatMul", "float32", "float32", "float32"),
    "int8-dynamic": Form("MatMulInteger", "uint8", "int8", "int32"),
}


@dataclass(frozen=True)
class Size:
    """An encoder's layers, width and the width within its feed-forward part."""

    layers: int
    width: int
    inner: int

    @property
    def weights(self) -> int:
        """Of its products."""
        return self.layers * (4 * self.width**2 + 2 * self.width * self.inner)

    def operations(self, texts: int, subwords: int) -> int:
        """Multiplications and additions of a run, those of attention among them."""
        return texts * subwords * (2 * self.weights + 4 * subwords * self.width * self.layers)


@click.command()
@click.argument("checkpoints", nargs=-1, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--random-base", is_flag=True, help="A BERT-base with random weights too, which is as fast as any other.")
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True, help="Of all shapes in turns.")
@click.option("--longest", default=1.0, show_default=True, help="Seconds of a run beyond which shapes are left out.")
@click.option("--out", type=click.Path(path_type=Path), required=True)
def main(checkpoints: tuple[Path, ...], random_base: bool, rounds: int, longest: float, out: Path) -> None:
    """Measure encoders as FP32 and INT8 on one thread and on all."""
    threads = sorted({1, usable_cores()})
    with TemporaryDirectory() as folder:
        models = [*checkpoints, *([_random_base(Path(folder))] if random_base else [])]
        curves = with_best_peaks(
            [curve for model in models for curve in _curves(model, Path(folder), threads, rounds, longest)]
        )
    record = {
        "cpu": cpu_model(), "isa": isa(), "onnxruntime": load_onnxruntime().__version__, "rounds": rounds,
        "longest_seconds": longest, "cost": curves,
    }  # fmt: skip
    write_atomic(out, json.dumps(record, indent=1) + "\n")


def with_best_peaks(curves: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """All curves of a form and count of threads under the highest peak that was seen: it is the machine's."""
    peak = "peak_operations_per_second"
    peaks: dict[tuple[str, int], float] = {}
    for curve in curves:
        roof = curve["variant"], curve["threads"]
        peaks[roof] = max(curve[peak], peaks.get(roof, 0.0))
    return [curve | {peak: peaks[curve["variant"], curve["threads"]]} for curve in curves]


def _curves(
    checkpoint: Path, folder: Path, threads: Sequence[int], rounds: int, longest: float
) -> Iterator[dict[str, Any]]:
    size = _size_of(checkpoint)
    export_onnx(checkpoint, folder / "fp32.onnx")
    quantize_dynamic(folder / "fp32.onnx", folder / "int8-dynamic.onnx")
    for variant, count in product(FORMS, threads):
        if count == threads[0]:
            optimise_for_cpu(folder / f"{variant}.onnx", UNFUSED)
        session = _session(str(folder / f"{variant}.onnx"), count)
        weight_bytes = size.weights * np.dtype(FORMS[variant].weight).itemsize
        yield {
            "model": checkpoint.name, "variant": variant, "threads": count, "weight_bytes": weight_bytes,
            "peak_operations_per_second": _peak(FORMS[variant], count),
            "read_bytes_per_second": _read(weight_bytes, count),
            "points": _points(session, size, rounds, longest, f"{checkpoint.name}, {variant}, {count} threads"),
        }  # fmt: skip


def _points(session: Any, size: Size, rounds: int, longest: float, label: str) -> list[dict[str, float]]:
    """Shape after shape, round by round; those that take too long are tried once and left out."""
    found: dict[tuple[int, int], list[float]] = {}
    with tracked() as track:
        step = track(label, rounds)
        for number in range(rounds):
            for shape in found if number else product(LENGTHS, BATCHES):
                if number or not _too_long(shape, found, longest):
                    found.setdefault(shape, []).append(_seconds(partial(session.run, None, _feeds(session, *shape))))
            step()
    return [_point(size, subwords, texts, taken) for (subwords, texts), taken in found.items()]


def _too_long(shape: tuple[int, int], found: dict[tuple[int, int], list[float]], longest: float) -> bool:
    """By half as many texts, where those were in time."""
    subwords, texts = shape
    if texts == 1:
        return False
    half = found.get((subwords, texts // 2))
    return half is None or 2 * half[0] > longest


def _point(size: Size, subwords: int, texts: int, taken: Sequence[float]) -> dict[str, float]:
    return {
        "subwords": subwords, "texts": texts, "operations": size.operations(texts, subwords),
        "seconds": median(taken), "low": min(taken), "high": max(taken),
    }  # fmt: skip


def _seconds(run: Callable[[], object]) -> float:
    """Of one run, by as many as fit the time; the first warms up."""
    run()
    start, count = time.perf_counter(), 0
    while time.perf_counter() - start < SECONDS or not count:
        run()
        count += 1
    return (time.perf_counter() - start) / count


def _feeds(session: Any, subwords: int, texts: int) -> dict[str, Any]:
    chance = np.random.default_rng(1)
    arrays = {
        "input_ids": chance.integers(1000, 20_000, (texts, subwords)),
        "attention_mask": np.ones((texts, subwords), dtype=np.int64),
        "token_type_ids": chance.integers(0, 2, (texts, subwords)),
    }
    return {value.name: arrays[value.name] for value in session.get_inputs()}


def _peak(form: Form, threads: int) -> float:
    """Operations a second of one product of large matrices."""
    numbers = np.random.default_rng(1).integers(0, 100, (SIDE, SIDE))
    weights = numpy_helper.from_array(numbers.astype(form.weight), "w")
    given, told = (
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(kind)), numbers.shape)
        for name, kind in (("x", form.given), ("y", form.told))
    )
    graph = helper.make_graph([helper.make_node(form.operator, ["x", "w"], ["y"])], "peak", [given], [told], [weights])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)
    session, left = _session(made.SerializeToString(), threads), numbers.astype(form.given)
    return 2 * SIDE**3 / min(_seconds(partial(session.run, None, {"x": left})) for _ in range(5))


def _read(size: int, threads: int) -> float:
    """Bytes a second of reading so many again and again, a part a thread."""
    parts = np.array_split(np.zeros(size // 8, dtype=np.int64), threads)
    with ThreadPoolExecutor(threads) as pool:
        return size / min(_seconds(lambda: list(pool.map(np.bitwise_or.reduce, parts))) for _ in range(5))


def _session(model: str | bytes, threads: int) -> Any:
    onnxruntime = load_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, [CPU], disabled_optimizers=list(UNFUSED))


def _size_of(checkpoint: Path) -> Size:
    config = json.loads((checkpoint / "config.json").read_text(encoding="utf-8"))
    return Size(config["num_hidden_layers"], config["hidden_size"], config["intermediate_size"])


def _random_base(folder: Path) -> Path:
    """12 layers, 768 wide."""
    import torch
    import transformers

    torch.manual_seed(1)
    checkpoint = folder / "bert-base-random"
    config = transformers.BertConfig(num_labels=9)
    transformers.AutoModelForTokenClassification.from_config(config).save_pretrained(checkpoint)
    return checkpoint


if __name__ == "__main__":
    main()

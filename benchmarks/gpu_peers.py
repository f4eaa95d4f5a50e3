"""Text in, entities out on an NVIDIA GPU: ours beside PyTorch and plain onnxruntime, the same checkpoint, one process.

    python benchmarks/gpu_peers.py CHECKPOINT BUNDLE --data SOURCE --out FILE.json

Rounds are interleaved, the order turns with each, and all see the same texts: some one by one, all of them together.
Every peer batches texts of like length and is given the batch that suits it best.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import click
import numpy as np
import onnxruntime
import torch
from rich.console import Console
from rich.table import Table
from transformers import AutoModelForTokenClassification, AutoTokenizer

from edgener.data.read import DataSpec, read_split
from edgener_runtime import Decoding, TokenClassifier
from edgener_runtime.device import cpu_model, usable_cores
from edgener_runtime.files import write_atomic

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE / "peers" / "workers")]

from benchmarks.peers.tags import f1_of  # noqa: E402
from plain_loop import PlainLoop  # noqa: E402
from transformers_pipeline import CaseChannelPipeline, Pipeline  # noqa: E402

BATCHES = (32, 128, 512)
DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)


@dataclass(frozen=True)
class Row:
    """A peer's medians over the rounds, with the smallest and largest: milliseconds of a text alone, texts a second."""

    name: str
    batch: int
    f1: float
    p50_ms: tuple[float, float, float]
    p95_ms: tuple[float, float, float]
    texts_per_second: tuple[float, float, float]


class Ours:
    """edgener-runtime as a peer; it batches as it sees fit."""

    def __init__(self, classifier: TokenClassifier) -> None:
        self._classifier = classifier

    def predict(self, text: str) -> list[tuple[str, int, int]]:
        """The entities of one text."""
        return [(each.label, each.start, each.end) for each in self._classifier.predict(text, Decoding("first"))]

    def predict_batch(self, texts: Sequence[str], batch: int) -> list[list[tuple[str, int, int]]]:
        """The entities of each text."""
        answers = self._classifier.predict_batch(texts, Decoding("first"))
        return [[(each.label, each.start, each.end) for each in found] for found in answers]


def pytorch_loop(checkpoint: Path, form: str) -> PlainLoop:
    """PyTorch in a plain loop: the least that it costs."""
    model = AutoModelForTokenClassification.from_pretrained(checkpoint, dtype=DTYPES[form]).eval().to("cuda")

    def run(*arrays: Any) -> Any:
        with torch.inference_mode():
            tensors = (torch.from_numpy(array).to("cuda", non_blocking=True) for array in arrays)
            return model(*tensors).logits.float().cpu().numpy()

    return PlainLoop(checkpoint, run)


def pipeline(checkpoint: Path, form: str) -> Pipeline:
    """transformers' pipeline on the GPU."""
    from contextlib import nullcontext

    model = AutoModelForTokenClassification.from_pretrained(checkpoint, dtype=DTYPES[form]).eval()
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    tokenizer.backend_tokenizer.no_truncation()
    tokenizer.backend_tokenizer.no_padding()
    opened = CaseChannelPipeline(model=model, tokenizer=tokenizer, device="cuda", aggregation_strategy="first")
    return Pipeline(opened, nullcontext)


def onnxruntime_loop(checkpoint: Path, file: Path) -> PlainLoop:
    """Plain onnxruntime-gpu with its defaults, on our graph: what the runtime adds shows beside it."""
    session = onnxruntime.InferenceSession(str(file), providers=["CUDAExecutionProvider"])
    assert session.get_providers()[0] == "CUDAExecutionProvider"

    def run(ids: Any, mask: Any, types: Any) -> Any:
        feeds = {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}
        return session.run(["logits"], feeds)[0].astype(np.float32, copy=False)

    return PlainLoop(checkpoint, run)


@click.command()
@click.argument("checkpoint", type=FOLDER)
@click.argument("bundle", type=FOLDER)
@click.option("--data", required=True, help="As of edgener evaluate; its test split is taken.")
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True)
@click.option("--every", type=click.IntRange(1), default=8, show_default=True, help="Latency of every N-th text only.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True)
def main(checkpoint: Path, bundle: Path, data: str, rounds: int, every: int, out: Path) -> None:
    """Measure, print a table, write JSON."""
    begun = time.perf_counter()
    sentences = read_split(DataSpec(data), "test").sentences
    texts = [sentence.text for sentence in sentences]
    with ExitStack() as stack:
        peers = _peers(checkpoint, bundle, stack)
        f1s = {name: f1_of(sentences, peer.predict_batch(texts, 128)) for name, peer in peers.items()}
        for peer in peers.values():
            _alone(peer, texts[::every])
        batches = {name: 0 if isinstance(peer, Ours) else _best_batch(peer, texts) for name, peer in peers.items()}
        figures: dict[str, list[tuple[float, float, float]]] = {name: [] for name in peers}
        for turn in range(rounds):
            for name in _turned(list(peers), turn):
                figures[name].append(_round(peers[name], texts, batches[name], every))
    rows = [Row(name, batches[name], f1s[name], *map(_spread, zip(*figures[name], strict=True))) for name in peers]
    write_atomic(out, json.dumps(_record(rows, texts, rounds, every, begun), indent=1) + "\n")
    Console(width=150).print(_table(rows))


def _peers(checkpoint: Path, bundle: Path, stack: ExitStack) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for form in ("fp32", "fp16"):
        made[f"edgener-runtime {form}"] = Ours(stack.enter_context(TokenClassifier.load(bundle, "cuda", form)))
        made[f"plain onnxruntime, our {form}"] = onnxruntime_loop(checkpoint, bundle / "variants" / f"{form}.onnx")
        made[f"plain loop, PyTorch {form}"] = pytorch_loop(checkpoint, form)
        made[f"transformers pipeline, PyTorch {form}"] = pipeline(checkpoint, form)
    made["plain loop, PyTorch bf16"] = pytorch_loop(checkpoint, "bf16")
    return made


def _best_batch(peer: Any, texts: Sequence[str]) -> int:
    return min(BATCHES, key=lambda batch: min(_seconds(lambda: peer.predict_batch(texts[::4], batch)) for _ in "ab"))


def _turned(names: list[str], turn: int) -> list[str]:
    return names[turn % len(names) :] + names[: turn % len(names)]


def _round(peer: Any, texts: Sequence[str], batch: int, every: int) -> tuple[float, float, float]:
    p50, p95 = np.percentile(_alone(peer, texts[::every]), (50, 95))
    return float(p50), float(p95), len(texts) / _seconds(lambda: peer.predict_batch(texts, batch))


def _alone(peer: Any, texts: Sequence[str]) -> list[float]:
    return [1000 * _seconds(lambda text=text: peer.predict(text)) for text in texts]


def _seconds(work: Callable[[], Any]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def _spread(values: Sequence[float]) -> tuple[float, float, float]:
    return median(values), min(values), max(values)


def _record(rows: Sequence[Row], texts: Sequence[str], rounds: int, every: int, begun: float) -> dict[str, Any]:
    packages = ("torch", "transformers", "tokenizers", "numpy", "onnxruntime-gpu", "edgener-runtime")
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(time.perf_counter() - begun),
        "gpu": torch.cuda.get_device_name(0),
        "cpu": cpu_model(),
        "cores": usable_cores(),
        "versions": {name: version(name) for name in packages},
        "texts": len(texts),
        "latency_of": f"every {every}th text",
        "rounds": rounds,
        "rows": [asdict(row) for row in rows],
    }


def _table(rows: Sequence[Row]) -> Table:
    table = Table("peer", "batch", "F1", "p50 ms", "p95 ms", "texts/s")
    for row in rows:
        spreads = (f"{middle:.3g} ({low:.3g}-{high:.3g})" for middle, low, high in (row.p50_ms, row.p95_ms))
        middle, low, high = row.texts_per_second
        table.add_row(
            row.name, str(row.batch or "-"), f"{row.f1:.4f}", *spreads, f"{middle:,.0f} ({low:,.0f}-{high:,.0f})"
        )
    return table


if __name__ == "__main__":
    main()

"""What is done around the model costs, and what padding costs within it: the levers that no graph shows.

    python benchmarks/around_model.py out/bundle --data conll2003 --out benchmarks/results/levers/around.json

Microseconds a text of tokenising and of decoding, one by one and together; the share of padding in the batches of near
lengths that the runtime makes, which is all that packing texts into one row could save.
"""

from __future__ import annotations

import gc
import json
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from edgener.cli.options import data_options
from edgener.data.read import DataSpec, read_split
from edgener_runtime import Decoding, TokenClassifier
from edgener_runtime.backends.base import SUBWORDS_AT_ONCE
from edgener_runtime.base.files import write_atomic
from edgener_runtime.commissioning.tune import BATCHES
from edgener_runtime.decoding.decode import Decoder, Scored
from edgener_runtime.inference.batches import PendingBatch, WindowRow, batches, feeds, rows_of
from edgener_runtime.machine.cpu import cpu_model, isa
from edgener_runtime.text.tokenize import TextTokenizer

ROUNDS = 9
CHUNK = 1024  # texts that `predict_batch` tokenises and sorts together
CHUNKS = (128, 256, 512, CHUNK, 2048)
FIRST = Decoding("first")


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@data_options
@click.option("--out", type=click.Path(path_type=Path), help="Write the figures there as JSON.")
def main(bundle: Path, data: DataSpec, out: Path | None) -> None:
    """Measure what BUNDLE's first variant does around the model on the test split of a data set."""
    texts = [sentence.text for sentence in read_split(data, "test").sentences]
    with TokenClassifier.load(bundle, "cpu") as classifier:
        settings = classifier.manifest.tokenizer
        tokenizer = TextTokenizer(bundle / settings.file, settings)
        alone, together = _cut(texts, 1), _cut(texts, CHUNK)
        scored = {size: [_scored(classifier, tokenizer, some) for some in chunks]
                  for size, chunks in ((1, alone), (CHUNK, together))}  # fmt: skip
        decoder = Decoder(classifier.label_set)
        steps = {
            "tokenising, one by one": partial(_each, tokenizer.encode, alone),
            f"tokenising, {CHUNK} together": partial(_each, tokenizer.encode, together),
            "decoding, one by one": partial(_decode, decoder, alone, scored[1]),
            f"decoding, {CHUNK} together": partial(_decode, decoder, together, scored[CHUNK]),
        }
        spent = {name: 1e6 * seconds / len(texts) for name, seconds in _medians(steps).items()}
    sorted_together = {str(size): _padding(tokenizer, _cut(texts, size), SUBWORDS_AT_ONCE) for size in CHUNKS}
    shares = {str(budget): _padding(tokenizer, together, budget) for budget in BATCHES}
    record = {
        "cpu": cpu_model(), "isa": isa(), "texts": len(texts), "microseconds_a_text": spent, "padding": shares,
        "padding_by_texts_sorted_together": sorted_together,
    }  # fmt: skip
    _show(record)
    if out:
        write_atomic(out, json.dumps(record, indent=1) + "\n")


def _cut(texts: list[str], size: int) -> list[list[str]]:
    return [texts[at : at + size] for at in range(0, len(texts), size)]


def _medians(steps: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Seconds of each step, medians of rounds in turns."""
    gc.freeze()  # a device's process has none of the build side's objects for the garbage collector to walk through
    found: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(ROUNDS):
        for name, step in steps.items():
            start = time.perf_counter()
            step()
            found[name].append(time.perf_counter() - start)
    return {name: median(seconds) for name, seconds in found.items()}


def _each(encode: Callable[[Sequence[str]], object], chunks: Sequence[Sequence[str]]) -> None:
    for texts in chunks:
        encode(texts)


def _decode(decoder: Decoder, chunks: Sequence[Sequence[str]], scored: Sequence[Scored]) -> None:
    for texts, scores in zip(chunks, scored, strict=True):
        decoder.entities(texts, scores, FIRST)


def _scored(classifier: TokenClassifier, tokenizer: TextTokenizer, texts: Sequence[str]) -> Scored:
    encoded = tokenizer.encode(texts)
    together = list(batches(rows_of(tokenizer, encoded)))
    answers = [partial(classifier.run, feeds(batch, classifier.manifest.tokenizer)) for batch in together]
    return PendingBatch(encoded, together, answers, len(tokenizer.prefix), len(classifier.labels)).result()


def _padding(tokenizer: TextTokenizer, chunks: Sequence[Sequence[str]], budget: int) -> float:
    """The share of padding in all that the model computes."""
    every = [batch for texts in chunks for batch in batches(rows_of(tokenizer, tokenizer.encode(texts)), budget)]
    return 1 - sum(map(_subwords, every)) / sum(len(batch) * max(len(row.ids) for row in batch) for batch in every)


def _subwords(batch: Sequence[WindowRow]) -> int:
    return sum(len(row.ids) for row in batch)


def _show(record: dict[str, Any]) -> None:
    console = Console()
    table = Table("around the model", "us a text")
    for name, spent in record["microseconds_a_text"].items():
        table.add_row(name, f"{spent:.0f}")
    console.print(table)
    table = Table("padded subwords a run", "share of padding")
    for budget, share in record["padding"].items():
        table.add_row(budget, f"{share:.2%}")
    console.print(table)
    table = Table("texts sorted together", "share of padding")
    for size, share in record["padding_by_texts_sorted_together"].items():
        table.add_row(size, f"{share:.2%}")
    console.print(table)


if __name__ == "__main__":
    main()

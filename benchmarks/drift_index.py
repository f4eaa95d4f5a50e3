"""The drift index over windows of held-out and of foreign text, compared with a reference.

    python benchmarks/drift_index.py out/bundle --data conll2003 --foreign maintie/gold_release.json \
        --out benchmarks/results/drift/conll2003.json

The reference is counted of another split, as an export does. Every window of the texts in their order counts, and so
does every window of the texts in a random order: neighbours in a news corpus are alike.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import click
import numpy as np

from edgener.data.read import DataSpec, read_split
from edgener_runtime import TokenClassifier
from edgener_runtime.base.tables import markdown_table
from edgener_runtime.decoding.schemes import LabelSet
from edgener_runtime.monitoring.counts import certainties
from edgener_runtime.monitoring.drift import FEWEST, THRESHOLD, WINDOW, DriftMonitor

ALONE = 200  # texts for the cost
SEED = 1


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("--data", required=True, help="Text like that of training, as --data of edgener evaluate.")
@click.option("--reference", default="valid", show_default=True, help="Its split to count as the reference.")
@click.option("--held-out", default="test", show_default=True, help="Its split to compare.")
@click.option("--foreign", required=True, help="Text of another kind, as --data of edgener evaluate.")
@click.option("--variant", default="fp32", show_default=True, help="Variant of the bundle.")
@click.option("--out", type=click.Path(path_type=Path), help="Write the figures there as JSON.")
def main(
    bundle: Path, data: str, reference: str, held_out: str, foreign: str, variant: str, out: Path | None
) -> None:  # fmt: skip
    """Measure the index of each thing that is counted, and the cost of counting."""
    texts = {
        "reference": _texts(data, reference), "held out": _texts(data, held_out), "foreign": _texts(foreign, "train")
    }  # fmt: skip
    with TokenClassifier.load(bundle, "cpu", variant) as classifier:
        rows = {name: _rows(classifier, own) for name, own in texts.items()}
        record = measure(classifier.label_set, rows) | {
            "variant": variant,
            "cost": _cost(classifier, texts["held out"]),
        }
    _show(record)
    if out:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def measure(label_set: LabelSet, rows: dict[str, Any]) -> dict[str, Any]:
    """The index of windows of `held out` and `foreign`, each the rows of texts, compared with `reference`."""
    counter = DriftMonitor(label_set, None, None).counter
    counts = counter.columns.reference_of(rows["reference"].sum(axis=0))
    new_monitor = partial(DriftMonitor, label_set, None, counts)
    order = np.random.default_rng(SEED).permutation(len(rows["held out"]))
    kinds = {"held out": rows["held out"], "held out, shuffled": rows["held out"][order], "foreign": rows["foreign"]}
    return {
        "drift_index": {
            f"{kind}, {window} texts": _indices(new_monitor(window), own, window)
            for kind, own in kinds.items()
            for window in (FEWEST, WINDOW)
        },
        "detected_after": {
            "from the start": _detected_after(new_monitor(WINDOW), rows["foreign"]),
            f"after {WINDOW} held-out texts": _detected_after(
                _filled(new_monitor(WINDOW), rows["held out"][:WINDOW]), rows["foreign"]
            ),
        },
        "threshold": THRESHOLD,
        "texts": {name: len(own) for name, own in rows.items()},
    }


def _texts(source: str, split: str) -> list[str]:
    return [sentence.text for sentence in read_split(DataSpec(source), split).sentences if sentence.text.strip()]


def _rows(classifier: TokenClassifier, texts: Sequence[str]) -> Any:
    """A row of counters for each text."""
    tokenizer = classifier._tokenizer
    counter = DriftMonitor(classifier.label_set, tokenizer.unknown, None).counter
    rows = []
    for start in range(0, len(texts), 256):
        pending = classifier._start(texts[start : start + 256])
        scored = pending.result()
        rows.append(counter.rows([subwords.ids for subwords in pending.encoded], scored, certainties(scored)))
    return np.concatenate(rows)


def _filled(monitor: DriftMonitor, rows: Any) -> DriftMonitor:
    monitor.add(rows)
    return monitor


def _indices(monitor: DriftMonitor, rows: Any, window: int) -> dict[str, dict[str, float]]:
    """The quantiles of each index over every full window."""
    every = []
    for number, row in enumerate(rows):
        monitor.add(row[None])
        if number + 1 >= window:
            every.append(monitor.report().psi)
    quantiles = {"lowest": 0, "median": 50, "p95": 95, "highest": 100}
    return {
        name: {word: round(float(np.percentile([psi[name] for psi in every], at)), 4) for word, at in quantiles.items()}
        for name in every[0]
    }


def _detected_after(monitor: DriftMonitor, rows: Any) -> int | None:
    """The number of foreign texts until the monitor says drift."""
    for number, row in enumerate(rows):
        monitor.add(row[None])
        if monitor.report().drifted:
            return number + 1
    return None


def _cost(classifier: TokenClassifier, texts: Sequence[str]) -> dict[str, float]:
    """Median milliseconds to answer a text alone, and to count it."""
    answers, counting = [], []
    for text in texts[:ALONE]:
        start = time.perf_counter()
        classifier.predict(text)
        answers.append(time.perf_counter() - start)
        pending = classifier._start([text])
        scored = pending.result()
        classifier.monitor()
        assert classifier.observer
        start = time.perf_counter()
        classifier.observer.observe([text], pending.encoded, scored)
        counting.append(time.perf_counter() - start)
        classifier._observer = None
    return {"ms_per_text": round(1000 * median(answers), 4), "ms_of_counting": round(1000 * median(counting), 4)}


def _show(record: dict[str, Any]) -> None:
    rows = [
        [kind, name, *(f"{value:.3f}" for value in figures.values())]
        for kind, every in record["drift_index"].items()
        for name, figures in every.items()
    ]
    click.echo(markdown_table(["text", "counted", "lowest", "median", "p95", "highest"], rows))
    click.echo(json.dumps({name: record[name] for name in ("detected_after", "cost") if name in record}))


if __name__ == "__main__":
    main()

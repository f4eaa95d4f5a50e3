"""The drift index over windows of held-out and of foreign text, compared with a bundle's own reference.

    python benchmarks/drift_index.py out/bundle --data conll2003 --foreign maintie/gold_release.json \
        --out benchmarks/results/drift/conll2003.json

BUNDLE was exported from text that is not held out, such as the valid split. Every window of the texts in their order
counts, and so does every window of the texts in a random order: neighbours in a news corpus are alike.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np

from edgener.data.read import DataSpec, read_split
from edgener_runtime import TokenClassifier
from edgener_runtime.base.tables import markdown_table
from edgener_runtime.monitoring.counts import certainties
from edgener_runtime.monitoring.drift import FEWEST, THRESHOLD, WINDOW, DriftMonitor

ROUNDS = 5
SEED = 1


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("--data", required=True, help="Held-out text, as --data of edgener evaluate.")
@click.option("--split", default="test", show_default=True, help="Its split.")
@click.option("--foreign", required=True, help="Text of another kind, as --data of edgener evaluate.")
@click.option("--variant", default="fp32", show_default=True, help="Variant of the bundle.")
@click.option("--window", default=WINDOW, show_default=True, help="Texts of a window.")
@click.option("--out", type=click.Path(path_type=Path), help="Write the figures there as JSON.")
def main(bundle: Path, data: str, split: str, foreign: str, variant: str, window: int, out: Path | None) -> None:
    """Measure the index of each thing that is counted, and the cost of counting."""
    held_out, other = _texts(data, split), _texts(foreign, "train")
    with TokenClassifier.load(bundle, "cpu", variant, threads=1) as classifier:
        kinds = {"held out": held_out, "held out, shuffled": _shuffled(held_out), "foreign": other}
        rows = {name: _rows(classifier, texts) for name, texts in kinds.items()}
        found = {name: _indices(classifier, counted, window) for name, counted in rows.items()}
        record: dict[str, Any] = {
            "drift_index": found,
            "detected_after": _detected_after(classifier, rows["held out"], rows["foreign"], window),
            "threshold": THRESHOLD,
            "window": window,
            "variant": variant,
            "texts": {"held out": len(held_out), "foreign": len(other)},
            "reference_texts": classifier.variant.drift.texts if classifier.variant.drift else None,
            "cost": _cost(classifier, held_out[:500]),
        }
    _show(record)
    if out:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def _texts(source: str, split: str) -> list[str]:
    return [sentence.text for sentence in read_split(DataSpec(source), split).sentences if sentence.text.strip()]


def _shuffled(texts: Sequence[str]) -> list[str]:
    return random.Random(SEED).sample(texts, len(texts))


def _monitor(classifier: TokenClassifier, window: int) -> DriftMonitor:
    unknown = classifier._tokenizer.unknown
    return DriftMonitor(classifier.label_set, unknown, classifier.variant.drift, window)


def _rows(classifier: TokenClassifier, texts: Sequence[str]) -> Any:
    """A row of counters for each text."""
    counter = _monitor(classifier, WINDOW).counter
    rows = []
    for start in range(0, len(texts), 256):
        pending = classifier._start(texts[start : start + 256])
        scored = pending.result()
        rows.append(counter.rows([subwords.ids for subwords in pending.encoded], scored, certainties(scored)))
    return np.concatenate(rows)


def _indices(classifier: TokenClassifier, rows: Any, window: int) -> dict[str, dict[str, float]]:
    """The median, 95 % quantile and maximum of each index over every full window, and the minimum."""
    monitor, every = _monitor(classifier, window), []
    for number, row in enumerate(rows):
        monitor.add(row[None])
        if number + 1 >= window:
            every.append(monitor.report().psi)
    quantiles = {"lowest": 0, "median": 50, "p95": 95, "highest": 100}
    return {
        name: {word: round(float(np.percentile([psi[name] for psi in every], at)), 4) for word, at in quantiles.items()}
        for name in every[0]
    }


def _detected_after(classifier: TokenClassifier, before: Any, after: Any, window: int) -> dict[str, Any]:
    """Foreign texts until the index is over the threshold: as the first texts, and after a full window of others."""
    found: dict[str, Any] = {}
    for name, first in (("from the start", before[:0]), ("after held-out text", before[:window])):
        monitor = _monitor(classifier, window)
        monitor.add(first) if len(first) else None
        found[name] = None
        for number, row in enumerate(after[: 2 * window]):
            monitor.add(row[None])
            if monitor.report().drifted:
                found[name] = number + 1
                break
    return found


def _cost(classifier: TokenClassifier, texts: Sequence[str]) -> dict[str, Any]:
    """Milliseconds per text of answers one by one, with counting and without, in turns; the best of each."""
    seconds: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(ROUNDS):
        for monitored in (False, True):
            classifier._observer = None
            if monitored:
                classifier.monitor()
            start = time.perf_counter()
            for text in texts:
                classifier.predict(text)
            seconds[monitored].append((time.perf_counter() - start) / len(texts))
    without, counted = (1000 * min(seconds[monitored]) for monitored in (False, True))
    return {"ms_per_text": round(without, 4), "ms_per_text_counted": round(counted, 4), "fewest": FEWEST}


def _show(record: dict[str, Any]) -> None:
    rows = [
        [kind, name, *(f"{value:.3f}" for value in figures.values())]
        for kind, every in record["drift_index"].items()
        for name, figures in every.items()
    ]
    click.echo(markdown_table(["text", "counted", "lowest", "median", "p95", "highest"], rows))
    click.echo(json.dumps({name: record[name] for name in ("detected_after", "cost")}))


if __name__ == "__main__":
    main()

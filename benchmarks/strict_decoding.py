"""What strict decoding does to entity F1: the likeliest labels that IOB2 allows, against the likeliest of each word.

python benchmarks/strict_decoding.py out/bundle --data conll2003 --out benchmarks/results/strict/conll2003.json
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from edgener.data.read import DataSpec, read_split
from edgener.parity.measures.metrics import entity_scores
from edgener_runtime import Decoding, TokenClassifier

WAYS = [Decoding(aggregation, strict) for aggregation in ("first", "average", "max") for strict in (False, True)]


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("--data", required=True, help="As of edgener evaluate.")
@click.option("--split", default="test", show_default=True, help="Which part of it.")
@click.option("--variant", default="fp32", show_default=True, help="Variant of the bundle.")
@click.option("--out", type=click.Path(path_type=Path), help="Write the figures there as JSON.")
def main(bundle: Path, data: str, split: str, variant: str, out: Path | None) -> None:
    """Score a variant of BUNDLE with and without strict decoding."""
    dataset = read_split(DataSpec(data), split)
    words = [[sentence.text[start:end] for start, end in sentence.offsets] for sentence in dataset.sentences]
    gold = [sentence.tags() for sentence in dataset.sentences]
    with TokenClassifier.load(bundle, "cpu", variant) as classifier:
        told = [(way, classifier.tag_batch(words, way)) for way in WAYS]
    rows = [_row(way, gold, tags) for way, tags in told]
    _show(rows)
    if out:
        out.parent.mkdir(parents=True, exist_ok=True)
        record = {"data": f"{data} ({split})", "variant": variant, "sentences": len(words), "ways": rows}
        out.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def _row(way: Decoding, gold: list[list[str]], tags: list[list[str]]) -> dict[str, Any]:
    micro = entity_scores(gold, tags).micro
    return {
        "aggregation": way.aggregation, "strict": way.strict, "forbidden": sum(map(_forbidden, tags)),
        "precision": micro.precision, "recall": micro.recall, "f1": micro.f1,
    }  # fmt: skip


def _forbidden(tags: list[str]) -> int:
    """How many I- labels of a sentence go on with nothing of their type."""
    pairs = zip(["O", *tags], tags, strict=False)
    return sum(tag.startswith("I-") and before[2:] != tag[2:] for before, tag in pairs)


def _show(rows: list[dict[str, Any]]) -> None:
    table = Table("aggregation", "strict", "forbidden", "precision", "recall", "F1")
    for row in rows:
        figures = (f"{row[name]:.4f}" for name in ("precision", "recall", "f1"))
        table.add_row(row["aggregation"], "yes" if row["strict"] else "no", str(row["forbidden"]), *figures)
    Console().print(table)


if __name__ == "__main__":
    main()

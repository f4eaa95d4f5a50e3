"""`edgener data pre-annotate`: texts with a bundle's answers, for an annotator to correct."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgener.data.tasks import TASK_FORMATS, write_tasks
from edgener.progress import tracked
from edgener_runtime.cli.options import FiniteRange, loading_options
from edgener_runtime.errors import UserInputError
from edgener_runtime.text.inputs import FORMATS, read_records

if TYPE_CHECKING:
    from edgener_runtime.pipeline import TokenClassifier


@click.command("pre-annotate")
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("--input", "source", required=True, metavar="FILE", help="Texts: lines, JSON Lines, or a label queue.")
@click.option(
    "--format", "form", type=click.Choice(FORMATS), default="auto", show_default=True, help="Format of the input."
)
@click.option("--tool", type=click.Choice(list(TASK_FORMATS)), required=True, help="Tool that reads the tasks.")
@click.option("--out", required=True, type=click.Path(path_type=Path, dir_okay=False), help="File of the tasks.")
@click.option(
    "--min-score", type=FiniteRange(0, 1), default=0, show_default=True, help="Omit entities with a lower score."
)
@loading_options
def pre_annotate(
    bundle: Path, source: str, form: str, tool: str, out: Path, min_score: float,
    load: Callable[[Path], TokenClassifier],
) -> None:  # fmt: skip
    """Write annotation tasks with the entities that a bundle finds.

    The tasks are for Label Studio (its predictions), doccano or Prodigy. edgener reads what these tools export after an
    annotator has corrected it.

    \b
    Examples:
      edgener data pre-annotate out/bundle --input queue.jsonl --tool label-studio --out tasks.json
      edgener data pre-annotate out/bundle --input texts.txt --tool prodigy --min-score 0.5 --out tasks.jsonl
    """
    texts = [record["text"] for record in read_records(source, form)]
    if not texts:
        raise UserInputError(f"{source} has no texts", "Give a file with a text per line, or JSON Lines.")
    with load(bundle) as classifier, tracked() as track:
        count = write_tasks(classifier, texts, out, TASK_FORMATS[tool], min_score, track("texts", len(texts)))
    click.echo(f"{out}: {len(texts):,} tasks for {tool}, {count:,} entities", err=True)

"""`edgener evaluate`: scores of a checkpoint or a bundle."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgener.cli.labelled import print_notes
from edgener.cli.options import data_options, label_options, threads_option
from edgener.cli.tables import narrow_table, print_table, reliability_table
from edgener.data.documents import WINDOW, has_documents
from edgener.data.read import SPLITS, DataSpec, check_labelled, read_splits, split_of

if TYPE_CHECKING:
    from edgener.labels import LabelChoice
    from edgener.parity.measures.metrics import Score
    from edgener.report.scores import Evaluation


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@data_options
@click.option("--split", type=click.Choice(SPLITS), default="test", show_default=True, help="Split to score.")
@label_options
@click.option("--variant", default="auto", show_default=True, help="Variant of a bundle.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Folder for JSON and PNG pictures.")
@threads_option
@click.option("--json", "as_json", is_flag=True, help="Print the scores as JSON.")
def evaluate(
    model: Path, data: DataSpec, split: str, labels: LabelChoice, variant: str, out: Path | None, threads: int | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Score a checkpoint or a bundle on labelled text.

    Prints entity scores and token scores by tag of MODEL. Entities are compared as spans, so the model and the data may
    have different label schemes. An entity counts if the model's scheme allows its labels, as in seqeval's strict mode.

    Where the data marks documents, they are also scored in windows of at most 256 subwords, as paragraphs are tagged.

    ECE, the expected calibration error, is how far scores are from the share that is right. It is shown for the scores
    as they are, and divided by the temperature of a bundle or of the valid split.

    \b
    Examples:
      edgener evaluate out/bundle --data builtin:factory --variant int8-dynamic
      edgener evaluate their/checkpoint --data test.conll --model-labels O,B-PER,I-PER
    """
    splits = read_splits(data)
    dataset, valid = split_of(splits, data, split), splits.get("valid")
    print_notes([dataset])
    check_labelled(dataset)
    valid = valid if valid and valid.labelled else None

    from edgener.progress import tracked
    from edgener.report.scores import evaluate as run
    from edgener.report.scores import to_json, write_evaluation
    from edgener.threads import decide_threads

    threads = decide_threads(threads)
    with tracked() as track:
        times = 2 if has_documents(dataset.sentences) else 1
        steps = times * len(dataset.sentences) + (len(valid.sentences) if valid else 0)
        evaluation = run(model, dataset, variant, track("evaluate", steps), threads, labels, valid)
    files = write_evaluation(evaluation, model, out) if out else []
    if as_json:
        click.echo(to_json(evaluation), nl=False)
    else:
        _print(evaluation, files)


def _print(evaluation: Evaluation, files: list[Path]) -> None:
    from rich.console import Console

    from edgener.labels import describe
    from edgener.report.scores import rows

    console = Console(markup=False, emoji=False)
    entities = evaluation.entities
    averages = (("micro", entities.micro), ("macro", entities.macro))
    print_table(console, _table("entities", [*entities.labels.items(), *averages]))
    if documents := evaluation.documents:
        where = f"{documents.windows:,} windows of at most {WINDOW} subwords"
        found = (("sentences", entities.micro), (where, documents.entities.micro))
        print_table(console, _table("entities of", found))
    print_table(console, _table("tokens", rows(evaluation)))
    print_table(console, reliability_table(evaluation.reliability))
    console.print(str(evaluation.reliability), highlight=False, soft_wrap=True)
    data = f"{evaluation.data.source} ({evaluation.data.split})"
    console.print(f"{evaluation.runs}, {data}; {describe(evaluation.labels)}", highlight=False, soft_wrap=True)
    for file in files:
        console.print(str(file), highlight=False, soft_wrap=True)


def _table(title: str, rows: Iterable[tuple[str, Score]]) -> Any:
    table = narrow_table(title, "precision", "recall", "F1", "support", title="", wraps=(title,))
    for name, score in rows:
        table.add_row(name, *(f"{x:.4f}" for x in (score.precision, score.recall, score.f1)), str(score.support))
    return table

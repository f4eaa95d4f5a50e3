"""`edgener`: the commands of the build side."""

from __future__ import annotations

import importlib
from typing import Any

import click

import edgener
from edgener_runtime.cli.console import CommandGroup

COMMANDS = {
    "data": "edgener.cli.data.inspect",
    "train": "edgener.cli.train.train",
    "sweep": "edgener.cli.train.sweep",
    "evaluate": "edgener.cli.train.evaluate",
    "search": "edgener.cli.release.search",
    "export": "edgener.cli.release.export",
    "publish": "edgener.cli.release.publish",
    "bench": "edgener.cli.bench.bench",
    "build-engine": "edgener.cli.release.build_engine",
    "keygen": "edgener.cli.trust.keygen",
    "sign": "edgener.cli.trust.sign",
    "verify": "edgener.cli.trust.verify",
    "thresholds": "edgener.cli.release.thresholds",
    "rebuild": "edgener.cli.release.rebuild",
    "variants": "edgener.cli.release.variants",
    "compare": "edgener.cli.bench.compare",
    "report": "edgener.cli.bench.report",
    "doctor": "edgener.cli.doctor",
}
"""Each command with its module."""


@click.group(cls=CommandGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(edgener.__version__, prog_name="edgener")
def main() -> None:
    """Fine-tune BERT for named entities, export and quantise it, and verify it against PyTorch.

    \b
    Example:
      edgener train --data builtin:factory --model package:cognition/model --out out/checkpoint
      edgener export out/checkpoint --out out/bundle --variant fp32,int8-dynamic --data builtin:factory
      edgener-runtime predict out/bundle "Pump P-101 leaks at the seal"
    """


def _add_commands(group: click.Group) -> None:
    for name, module in COMMANDS.items():
        command: Any = getattr(importlib.import_module(module), name.replace("-", "_"))
        group.add_command(command)


_add_commands(main)

"""`edgener-runtime`: the device side's commands."""

from __future__ import annotations

import importlib
from typing import Any

import click

from .. import __version__
from ..console import CommandGroup

COMMANDS = ("bench", "devices", "mqtt", "predict", "prepare", "selftest", "serve", "tune", "verify")


@click.group(cls=CommandGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="edgener-runtime")
def main() -> None:
    """Run edgener bundles on this device: text in, entities out."""


def _add_commands(group: click.Group) -> None:
    for name in COMMANDS:
        command: Any = getattr(importlib.import_module(f"{__name__}.{name}"), name)
        group.add_command(command)


_add_commands(main)

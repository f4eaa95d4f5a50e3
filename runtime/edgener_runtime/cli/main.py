"""`edgener-runtime`: the commands of the runtime."""

from __future__ import annotations

import importlib

import click

from edgener_runtime import __version__

from .console import CommandGroup

COMMANDS = {
    "activate": "edgener_runtime.commissioning.cli.store",
    "bench": "edgener_runtime.commissioning.cli.bench",
    "devices": "edgener_runtime.cli.devices",
    "gc": "edgener_runtime.commissioning.cli.store",
    "install": "edgener_runtime.commissioning.cli.store",
    "list": "edgener_runtime.commissioning.cli.store",
    "mqtt": "edgener_runtime.services.cli.mqtt",
    "predict": "edgener_runtime.cli.predict",
    "prepare": "edgener_runtime.commissioning.cli.prepare",
    "pull": "edgener_runtime.commissioning.cli.pull",
    "rollback": "edgener_runtime.commissioning.cli.store",
    "selftest": "edgener_runtime.commissioning.cli.selftest",
    "serve": "edgener_runtime.services.cli.serve",
    "slim": "edgener_runtime.cli.slim",
    "tag": "edgener_runtime.bulk.cli.tag",
    "tune": "edgener_runtime.commissioning.cli.tune",
    "verify": "edgener_runtime.cli.verify",
}
"""Each command and the module that defines it; nothing else in the core imports commissioning or services."""


@click.group(cls=CommandGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="edgener-runtime")
def main() -> None:
    """Run edgener bundles on this device: text in, entities out."""


def _add_commands(group: click.Group) -> None:
    for name, module in COMMANDS.items():
        found = vars(importlib.import_module(module)).values()
        group.add_command(next(one for one in found if isinstance(one, click.Command) and one.name == name))


_add_commands(main)

"""`edgener-runtime`: the commands of the runtime."""

from __future__ import annotations

import click

from edgener_runtime import __version__

from .commands import LazyCommands, LazyGroup

COMMANDS = LazyCommands(
    "edgener_runtime",
    ("activate", "commissioning.cli.store", "Test the bundle of VERSION again, and make it the active one."),
    ("bench", "commissioning.cli.bench", "Measure speed, memory and energy of BUNDLE's variants."),
    ("devices", "cli.devices", "Show this machine and what each device requires."),
    ("gc", "commissioning.cli.store", "Remove old bundles."),
    ("install", "commissioning.cli.store", "Copy BUNDLE into the store, test it, and activate it."),
    ("list", "commissioning.cli.store", "List the bundles of the store, with why each was left."),
    ("mqtt", "services.cli.mqtt", "Answer texts of an MQTT topic on another topic."),
    ("predict", "cli.predict", "Find the entities of TEXTS, of a file or of stdin."),
    ("prepare", "commissioning.cli.prepare", "Build BUNDLE's TensorRT engine on this device."),
    ("pull", "commissioning.cli.pull", "Update this device from a repository that edgener publish made."),
    ("rollback", "commissioning.cli.store", "Return to the last good bundle."),
    ("selftest", "commissioning.cli.selftest", "Check that BUNDLE runs correctly on this machine."),
    ("serve", "services.cli.serve", "Answer HTTP requests with the entities of their texts."),
    ("slim", "cli.slim", "Write the smallest bundle that runs one variant of BUNDLE."),
    ("tag", "bulk.cli.tag", "Find the entities of all texts in a file or folder."),
    ("tune", "commissioning.cli.tune", "Tune threads, batches and spinning for this machine's CPU."),
    ("verify", "cli.verify", "Check that every file of BUNDLE is there and unchanged."),
)
"""Each command with its module, and the first sentence of its help.

Nothing else in the core imports commissioning or services.
"""


@click.group(cls=LazyGroup, commands=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="edgener-runtime")
def main() -> None:
    """Run edgener bundles on this device: text in, entities out."""

"""`edgener-runtime devices`."""

from __future__ import annotations

from pathlib import Path

import click

from edgener_runtime.machine.devices import hardware_devices

from .console import write_line


@click.command()
@click.option("--json", "form", flag_value="json", help="Print what was found as JSON.")
@click.option("--markdown", "form", flag_value="markdown", help="Print the docs' tables of devices and platforms.")
@click.option(
    "--device",
    type=click.Choice(list(hardware_devices())),
    help="Exit 6 where this cannot be used, and say what is missing.",
)
@click.option(
    "--root",
    default="/",
    type=click.Path(path_type=Path),
    help="Read a copy of another machine's files.",
)
def devices(form: str | None, device: str | None, root: Path) -> None:
    """Show this machine and what each device requires.

    Shows the CPU, GPUs, driver, libraries, packages and Jetson, and for each device what is missing and the command
    that installs it. The checks for tensorrt and jetson were not run on a device yet.

    \b
    Examples:
      edgener-runtime devices
      edgener-runtime devices --json > orin.json
      edgener-runtime devices --device tensorrt && edgener-runtime prepare out/bundle
    """
    from edgener_runtime.base.serde import to_json
    from edgener_runtime.machine.probe.describe import describe, devices_table, platforms_page
    from edgener_runtime.machine.probe.record import probe

    if form == "markdown":
        write_line(f"{devices_table()}\n\n{platforms_page()}")
        return
    found = probe(root)
    write_line(to_json(found).rstrip("\n") if form == "json" else "\n".join(describe(found)))
    if device:
        found.require(device)

"""`edgener doctor`: the state of this machine and of the build side's packages."""

from __future__ import annotations

import click

from edgener_runtime.machine.devices import hardware_devices


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.option(
    "--device",
    type=click.Choice(list(hardware_devices())),
    help="Exit 6 where this cannot be used, and say what is missing.",
)
def doctor(as_json: bool, device: str | None) -> None:
    """Show this machine and the packages of the build side.

    It prints what `edgener-runtime devices` prints, and the packages. Exit 6 where a package is missing or does not
    fit. The checks of tensorrt and jetson have not been run on a device yet.

    \b
    Examples:
      edgener doctor
      edgener doctor --device cuda
    """
    from edgener.doctor import describe_build, examine
    from edgener_runtime.base.serde import to_json
    from edgener_runtime.cli.console import write_line
    from edgener_runtime.machine.probe.describe import describe

    found = examine()
    lines = [*describe_build(found), "", *describe(found.probe)]
    write_line(to_json(found).rstrip("\n") if as_json else "\n".join(lines))
    found.require_build()
    if device:
        found.probe.require(device)

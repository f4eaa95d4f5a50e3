"""The output of `edgener bench --hosts`: progress lines of all devices, and a table of their outcomes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgener.cli.tables import narrow_table
from edgener_runtime.errors import DeviceError

if TYPE_CHECKING:
    from edgener.fleet.fleet import HostOutcome
    from edgener_runtime.commissioning.bench.spec import Spec

COLUMNS = ("device", "status", "seconds", "result or reason")


def bench_hosts(file: Path, spec: Spec, out: Path, wheel: Path | None, as_json: bool) -> None:
    """Run the benchmark on the devices of a hosts.yaml. Raises DeviceError, once all ended, if one failed."""
    from edgener.fleet.fleet import MEASURED, run_on_hosts
    from edgener.fleet.hosts import read_hosts

    outcomes = run_on_hosts(read_hosts(file), spec, out, _say, wheel)
    _render(outcomes, as_json)
    if failed := [outcome.name for outcome in outcomes if outcome.status != MEASURED]:
        raise DeviceError(
            f"{len(failed)} of {len(outcomes)} devices failed: {', '.join(failed)}",
            "The results of the others are valid. Fix the failed devices, list only them, and run the benchmark again.",
        )


def _say(device: str, line: str) -> None:
    click.secho(f"{device}: ", bold=True, nl=False, err=True)
    click.echo(line, err=True)


def _render(outcomes: Sequence[HostOutcome], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps([asdict(outcome) for outcome in outcomes], indent=2))
        return
    from rich.console import Console

    table = narrow_table(*COLUMNS, title="benchmark on each device", wraps=("device", "result or reason"))
    for outcome in outcomes:
        table.add_row(outcome.name, outcome.status, f"{outcome.seconds:.0f}", "\n".join(_details(outcome)))
    Console(markup=False, highlight=False).print(table)


def _details(outcome: HostOutcome) -> list[str]:
    """The result's file, or the reason of a failure with its hint, and the partial result."""
    if not outcome.reason:
        return [outcome.file or ""]
    kept = f"measured before: {outcome.file}" if outcome.file else ""
    return [line for line in (outcome.reason, outcome.hint, kept) if line]

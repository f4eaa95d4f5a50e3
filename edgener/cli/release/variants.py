"""`edgener variants`: the forms a model can be exported in."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import click

from edgener.cli.tables import narrow_table, print_table
from edgener_exporters.variants import VARIANTS, Variant
from edgener_runtime.machine.devices import provider_title

HEADINGS = ("variant", "what it is", "runs on", "refused on", "needs")
PAGE = """# Variants

The forms that `edgener export --variants` writes. A bundle lists the fastest first, as measured where it was exported,
and a device takes the first that it can run. What is said of TensorRT has not been run on a device.

This page is what `edgener variants --markdown` prints.

"""


@click.command()
@click.option("--json", "form", flag_value="json", help="Print the table as JSON.")
@click.option("--markdown", "form", flag_value="markdown", help="Print it as the page docs/variants.md.")
def variants(form: str | None) -> None:
    """List the forms a model can be exported in: where each runs, where it is refused and why, what it needs.

    \b
    Example:
      edgener variants --json
    """
    rows = [_row(variant) for variant in VARIANTS.values()]
    if form == "json":
        click.echo(json.dumps(rows, indent=2))
    elif form == "markdown":
        click.echo(_markdown(rows), nl=False)
    else:
        _print_table(rows)


def _print_table(rows: Iterable[Mapping[str, Any]]) -> None:
    from rich.console import Console

    table = narrow_table(*HEADINGS, title="", wraps=HEADINGS[1:])
    table.show_lines = True
    for row in rows:
        table.add_row(*_cells(row))
    print_table(Console(markup=False, emoji=False), table)


def _markdown(rows: Iterable[Mapping[str, Any]]) -> str:
    table = [HEADINGS, ["---"] * len(HEADINGS), *([_escaped(cell) for cell in _cells(row)] for row in rows)]
    return PAGE + "".join(f"| {' | '.join(cells)} |\n" for cells in table)


def _escaped(cell: str) -> str:
    return cell.replace("|", "\\|").replace("\n", "<br>")


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    refused = "\n".join(f"{provider}: {reason}" for provider, reason in row["refused"].items())
    needs = [f"onnxruntime {row['onnxruntime']}"]
    needs += ["calibration text"] * row["calibrated"] + ["a search for its plan"] * row["planned"]
    return row["name"], row["description"], "\n".join(row["providers"]), refused or "-", "\n".join(needs)


def _row(variant: Variant) -> dict[str, Any]:
    return {
        "name": variant.name,
        "precision": variant.precision,
        "description": variant.description,
        "providers": [provider_title(provider) for provider in variant.requirements.providers],
        "refused": {provider_title(provider): reason for provider, reason in variant.refused.items()},
        "onnxruntime": variant.requirements.onnxruntime,
        "calibrated": variant.calibrated,
        "planned": variant.planned,
        "exact": variant.exact,
    }

"""`edgener variants`: the table of variants."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import click

from edgener.cli.tables import narrow_table, print_table
from edgener_exporters.variants import VARIANTS, Variant
from edgener_runtime.base.tables import markdown_table
from edgener_runtime.machine.devices import provider_title

HEADINGS = ("variant", "description", "runs on", "refused on", "requires")
PAGE = """# Variants

The variants that `edgener export --variant` writes. A bundle lists them by their speed where it was exported, the
fastest first, and a device takes the first that it can run. Nothing about TensorRT has been run on a device yet.

This page is what `edgener variants --markdown` prints.

"""


@click.command()
@click.option("--json", "output", flag_value="json", help="Print the table as JSON.")
@click.option("--markdown", "output", flag_value="markdown", help="Print the page of the documentation.")
def variants(output: str | None) -> None:
    """List the variants that a model can be exported as.

    The table says where each runs, where it is refused and why, and what it requires.

    \b
    Example:
      edgener variants --json
    """
    rows = [_row(variant) for variant in VARIANTS.values()]
    if output == "json":
        click.echo(json.dumps(rows, indent=2))
    elif output == "markdown":
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
    return PAGE + markdown_table(HEADINGS, map(_cells, rows))


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    refused = "\n".join(f"{provider}: {reason}" for provider, reason in row["refused"].items())
    needs = [f"onnxruntime {row['onnxruntime']}"]
    needs += ["edgener-ops"] * (row["operators"] > 0)
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
        "operators": variant.requirements.operators,
        "calibrated": variant.calibrated,
        "planned": variant.planned,
        "exact": variant.exact,
    }

"""`edgener variants`: the forms a model can be exported in."""

from __future__ import annotations

import json
from typing import Any

import click

from edgener_exporters.variants import VARIANTS, Variant


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the table as JSON.")
def variants(as_json: bool) -> None:
    """List the forms a model can be exported in: where each runs, where it is refused and why, what it needs.

    \b
    Example:
      edgener variants --json
    """
    rows = [_row(variant) for variant in VARIANTS.values()]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("variant", "what it is", "runs on", "refused on", "needs", show_lines=True)
    for row in rows:
        refused = "\n".join(f"{provider}: {reason}" for provider, reason in row["refused"].items())
        needs = f"onnxruntime {row['onnxruntime']}" + (", calibration text" if row["calibrated"] else "")
        table.add_row(row["name"], row["description"], "\n".join(row["providers"]), refused or "-", needs)
    Console().print(table)


def _row(variant: Variant) -> dict[str, Any]:
    return {
        "name": variant.name,
        "precision": variant.precision,
        "description": variant.description,
        "providers": [_short(provider) for provider in variant.needs.providers],
        "refused": {_short(provider): reason for provider, reason in variant.refused.items()},
        "onnxruntime": variant.needs.onnxruntime,
        "calibrated": variant.calibrated,
        "exact": variant.exact,
    }


def _short(provider: str) -> str:
    """onnxruntime's name of a provider as people say it."""
    return provider.removesuffix("ExecutionProvider").replace("Tensorrt", "TensorRT")

"""`edgener report`: what was proven where."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .tables import narrow_table

if TYPE_CHECKING:
    from edgener.report.devices import Matrix


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--merge", is_flag=True, help="Merge the reports of edgener-runtime selftest into one matrix.")
@click.option("--json", "form", flag_value="json", help="Print the matrix as JSON.")
@click.option("--markdown", "form", flag_value="markdown", help="Print it as Markdown, as it stands in the README.")
@click.option("--html", "form", flag_value="html", help="Print it as a page that needs no network.")
def report(files: tuple[Path, ...], merge: bool, form: str | None) -> None:
    """Show what was proven on which machine: reports of `edgener-runtime selftest --out`, a row each.

    Labels are compared across machines that ran the same model: with the first of them, in the order of the files.

    \b
    Examples:
      edgener report --merge out/selftest.json
      edgener report --merge benchmarks/devices/*.json --html > devices.html
    """
    if not merge:
        raise click.UsageError("say what to do with the files: --merge")
    from edgener.report.devices import merge as merge_reports
    from edgener.report.devices_page import to_html, to_markdown
    from edgener_runtime.selftest.report import read_report
    from edgener_runtime.serde import to_json

    forms = {"json": to_json, "markdown": to_markdown, "html": to_html}
    matrix = merge_reports([read_report(file) for file in files])
    if form:
        click.echo(forms[form](matrix), nl=False)
    else:
        _print(matrix)


def _print(matrix: Matrix) -> None:
    from rich.console import Console

    from edgener.report.devices import COLUMNS, not_run_line

    wraps = {"machine", "ran on", "model", "labels", "verdict"}
    table = narrow_table(*COLUMNS, title="what was proven where", wraps=wraps)
    for row in matrix.rows:
        table.add_row(*row.cells())
    console = Console(markup=False)
    console.print(table)
    if matrix.not_run:
        console.print(not_run_line(matrix), highlight=False)

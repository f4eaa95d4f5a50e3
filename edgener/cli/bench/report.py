"""`edgener report`: what was proven where, and what was measured there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgener.cli.tables import narrow_table
from edgener_runtime.cli.console import write_line

if TYPE_CHECKING:
    from rich.console import Console

    from edgener.report.bench.matrix import BenchMatrix
    from edgener.report.devices import Matrix


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--merge", is_flag=True, help="Merge results of edgener-runtime selftest and bench into one matrix.")
@click.option("--json", "form", flag_value="json", help="Print the matrix as JSON.")
@click.option("--markdown", "form", flag_value="markdown", help="Print it as Markdown, as it stands in the README.")
@click.option("--html", "form", flag_value="html", help="Print it as a page that needs no network.")
@click.option(
    "--max-p99",
    type=click.FloatRange(min=0, min_open=True),
    metavar="MS",
    help="Recommend what answers 99 of 100 within.",
)
@click.option(
    "--max-f1-drop", type=click.FloatRange(min=0), metavar="NUMBER", help="Recommend what loses no more entity F1."
)
def report(
    files: tuple[Path, ...], merge: bool, form: str | None, max_p99: float | None, max_f1_drop: float | None
) -> None:
    """Show what was proven and measured on which machine, from files of `edgener-runtime selftest` and `bench`.

    Labels of selftests are compared across machines that ran the same model: with the first of them, in the order of
    the files. Of benches there is every row, the front of each machine, and the fastest that keeps stated bounds.

    \b
    Examples:
      edgener report --merge out/selftest.json
      edgener report --merge results/*.json --max-p99 20 --max-f1-drop 0.005
      edgener report --merge results/*.json --html > matrix.html
    """
    if not merge:
        raise click.UsageError("say what to do with the files: --merge")
    from edgener.report.bench.recommend import Bounds
    from edgener.report.merged import as_html, as_json, as_markdown, merge_all, read

    selftests, benches = read(files)
    merged = merge_all(selftests, benches, Bounds(max_p99, max_f1_drop))
    if form:
        forms = {"json": as_json, "markdown": as_markdown, "html": as_html}
        write_line(forms[form](merged, benches).rstrip("\n"))
        return
    from rich.console import Console

    console = Console(markup=False, highlight=False)
    if merged.selftests:
        _print_selftests(merged.selftests, console)
    if merged.bench:
        _print_bench(merged.bench, console)


def _print_selftests(matrix: Matrix, console: Console) -> None:
    from edgener.report.devices import COLUMNS, not_run_line

    wraps = {"machine", "ran on", "model", "labels", "verdict"}
    table = narrow_table(*COLUMNS, title="what was proven where", wraps=wraps)
    for row in matrix.rows:
        table.add_row(*row.cells())
    console.print(table)
    if matrix.not_run:
        console.print(not_run_line(matrix))


def _print_bench(matrix: BenchMatrix, console: Console) -> None:
    from edgener.report.bench.columns import SHORT

    wraps = {"machine", "variant", "scenario", "texts", "figure", "state"}
    table = narrow_table(*(column.title for column in SHORT), title="what was measured where", wraps=wraps)
    for line in matrix.lines:
        table.add_row(*(column.cell(line) for column in SHORT))
    console.print(table)
    for each in matrix.recommended:
        console.print(f"{each.title}\n  {each.sentence}")

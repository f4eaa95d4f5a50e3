"""`edgener report`: results of selftests and benchmarks of many machines in one matrix."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgener.cli.tables import narrow_table, print_table
from edgener_runtime.cli.console import write_line
from edgener_runtime.cli.options import FiniteRange

if TYPE_CHECKING:
    from rich.console import Console

    from edgener.report.bench.matrix import BenchMatrix
    from edgener.report.devices import SelftestMatrix


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--merge", is_flag=True, hidden=True, help="Does nothing; versions up to 0.1 required it.")
@click.option("--json", "output", flag_value="json", help="Print the matrix as JSON.")
@click.option("--markdown", "output", flag_value="markdown", help="Print it as Markdown, as in the README.")
@click.option("--html", "output", flag_value="html", help="Print it as a page that needs no network.")
@click.option(
    "--max-p99",
    type=FiniteRange(min=0, min_open=True),
    metavar="MS",
    help="Recommend only rows whose 99th percentile of the latency is below.",
)
@click.option(
    "--max-f1-drop",
    type=FiniteRange(min=0),
    metavar="NUMBER",
    help="Recommend only rows that lose at most this much entity F1.",
)
def report(
    files: tuple[Path, ...], merge: bool, output: str | None, max_p99: float | None, max_f1_drop: float | None
) -> None:
    """Merge results of selftests and benchmarks of many machines.

    FILE is what `edgener-runtime selftest --out` or `bench --out` wrote.

    Selftests: labels are compared with those of the first file of the same model. Benchmarks: all rows, the Pareto
    front of each machine, and the fastest row that meets the stated bounds.

    \b
    Examples:
      edgener report out/selftest.json
      edgener report results/*.json --max-p99 20 --max-f1-drop 0.005
      edgener report results/*.json --html > matrix.html
    """
    if merge:
        click.echo("note: --merge is no longer needed", err=True)
    from edgener.report.bench.recommend import Bounds
    from edgener.report.merged import as_html, as_json, as_markdown, merge_all, read

    selftests, results = read(files)
    merged = merge_all(selftests, results, Bounds(max_p99, max_f1_drop))
    if output == "html":
        write_line(as_html(merged, selftests, results).rstrip("\n"))
    elif output:
        write_line({"json": as_json, "markdown": as_markdown}[output](merged).rstrip("\n"))
    else:
        _print(merged.selftests, merged.bench)


def _print(selftests: SelftestMatrix | None, bench: BenchMatrix | None) -> None:
    from rich.console import Console

    console = Console(markup=False, highlight=False)
    if selftests:
        _print_selftests(selftests, console)
    if bench:
        _print_bench(bench, console)


def _print_selftests(matrix: SelftestMatrix, console: Console) -> None:
    from edgener.report.devices import not_run_line

    columns = ("machine", "ran on", "model", "labels", "p50\np99 ms", "MB", "W", "verdict")
    table = narrow_table(*columns, title="selftests", wraps=set(columns) - {"MB", "W"})
    for row in matrix.rows:
        latency = f"{row.median_ms}\n{row.p99_ms}"
        table.add_row(row.machine, row.ran_on, row.model, row.labels, latency, row.megabytes, row.watts, row.verdict)
    print_table(console, table)
    if matrix.not_run:
        console.print(not_run_line(matrix))


def _print_bench(matrix: BenchMatrix, console: Console) -> None:
    """A table and a recommendation for each machine and work, and then the reasons of all warnings."""
    from edgener.notes import letters_of, note_lines, notes_of
    from edgener.report.bench.columns import NARROW

    notes = notes_of(line.warnings for line in matrix.lines)
    recommended = {each.title: each.sentence for each in matrix.recommended}
    for title, lines in matrix.by_title().items():
        columns = (*(column.title for column in NARROW), "warnings")
        table = narrow_table(*columns, title=title, wraps={"variant", "figure", "warnings"})
        for line in lines:
            table.add_row(*(column.cell(line) for column in NARROW), letters_of(notes, line.warnings))
        print_table(console, table)
        console.print(f"{recommended.get(title, 'no row was measured')}\n")
    for reason in note_lines(notes):
        console.print(reason)

"""`edgener compare`: benchmark results side by side, and the gate of a release pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgener.cli.tables import narrow_table, print_table
from edgener.compare.differences import ASPECTS
from edgener_runtime.cli.console import write_line

if TYPE_CHECKING:
    from edgener.compare.compare import BenchComparison, FileComparison, NamedResult


def parse_share(text: str | None) -> float | None:
    """`5%` or `0.05` as a share above 0. Raises click.BadParameter."""
    if text is None:
        return None
    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        share = 0.0
    if not 0 < share < 10:
        raise click.BadParameter(f"found {text!r}, expected a share above 0 such as 5% or 0.05")
    return share


def parse_aspects(text: str | None) -> tuple[str, ...]:
    """Names separated by commas. Raises click.BadParameter where one is not an aspect."""
    names = tuple(name.strip() for name in text.split(",")) if text else ()
    if unknown := [name for name in names if name not in ASPECTS]:
        raise click.BadParameter(f"found {unknown[0]!r}, expected names of {', '.join(ASPECTS)}")
    return names


@click.command()
@click.argument("base", type=click.Path(path_type=Path, dir_okay=False))
@click.argument("others", nargs=-1, required=True, metavar="OTHER...", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--max-regression",
    metavar="SHARE",
    callback=lambda *args: parse_share(args[2]),
    help="Fail where a row is more than this share slower, such as 5%.",
)
@click.option(
    "--across",
    metavar="NAME,...",
    callback=lambda *args: parse_aspects(args[2]),
    help=f"Aspects that may differ besides the compared one: {', '.join(ASPECTS)}.",
)
@click.option("--anyway", is_flag=True, help="Compare even if several aspects differ.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write comparison.json, comparison.html and pictures (SVG, PNG) into this folder.",
)
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), help="Write a page that needs no network.")
@click.option("--junit", type=click.Path(path_type=Path, dir_okay=False), help="Write the verdicts as JUnit XML.")
@click.option(
    "--format",
    "output",
    type=click.Choice(("text", "json", "github")),
    default="text",
    show_default=True,
    help="github adds annotations below the table.",
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
def compare(
    base: Path, others: tuple[Path, ...], max_regression: float | None, across: tuple[str, ...], anyway: bool,
    out: Path | None, html: Path | None, junit: Path | None, output: str, as_json: bool,
) -> None:  # fmt: skip
    """Compare benchmark results with a first one.

    Prints the speed-up of each OTHER relative to BASE with its interval; with --max-regression it is a gate. One aspect
    may differ between two files, and that one is compared; name further ones with --across.

    Exit 0: no row is slower than allowed. Exit 3: a row surely is. Exit 4: uncertain, as the intervals are too wide or
    the machine itself was slower. Exit 2: the files cannot be compared.

    \b
    Examples:
      edgener compare before.json after.json
      edgener compare before.json after.json --max-regression 5% --format github --junit out/bench.xml
      edgener compare laptop.json orin.json --across libraries --out out/comparison
    """
    from edgener.compare.compare import NamedResult
    from edgener.compare.compare import compare as compare_results
    from edgener_runtime.base.serde import to_json
    from edgener_runtime.commissioning.bench.results.record import read_result

    results = [NamedResult(str(file), read_result(file)) for file in (base, *others)]
    comparison = compare_results(results[0], results[1:], max_regression, ASPECTS if anyway else across)
    _write(comparison, results, out, html, junit)
    if as_json or output == "json":
        write_line(to_json(comparison).rstrip("\n"))
    else:
        (_annotate if output == "github" else _print)(comparison)
    _end(comparison)


def _write(
    comparison: BenchComparison, results: Sequence[NamedResult], out: Path | None, html: Path | None, junit: Path | None
) -> None:
    """Write the files that the options name."""
    from edgener.report.bench.comparison import comparison_page, write_comparison
    from edgener.report.bench.verdicts import junit as to_junit
    from edgener_runtime.base.files import write_atomic

    if out:
        write_comparison(comparison, results, out)
    if html:
        write_atomic(html, comparison_page(comparison, results))
    if junit:
        write_atomic(junit, to_junit(comparison))


def _print(comparison: BenchComparison) -> None:
    from rich.console import Console

    from edgener.compare.wording import heading, lines_below, warning_lines

    console = Console(markup=False, highlight=False)
    for against in comparison.against:
        print_table(console, _table(against, heading(comparison, against)))
        for line in (*warning_lines(against), *lines_below(against)):
            console.print(line)


def _annotate(comparison: BenchComparison) -> None:
    """Print the table, and then a workflow command for each row that did not pass."""
    from edgener.report.bench.verdicts import github_lines, no_commands

    with no_commands(click.echo):
        _print(comparison)
    for line in github_lines(comparison):
        click.echo(line)


def _table(against: FileComparison, title: str) -> Any:
    from edgener.compare.wording import COLUMNS, cells_with_letters, table_rows, warnings_of

    notes = warnings_of(against)
    shown = narrow_table(*COLUMNS, title=title, wraps=("case", "verdict"))
    for row in table_rows(against):
        shown.add_row(*cells_with_letters(row, notes))
    return shown


def _end(comparison: BenchComparison) -> None:
    """Raises EdgenerError with the gate's exit code where the verdict is fail or inconclusive."""
    from edgener.compare.wording import refusal
    from edgener.parity.gate import EXIT_CODES, Verdict

    if comparison.verdict in (Verdict.FAIL, Verdict.INCONCLUSIVE):
        refused = refusal(comparison)
        refused.exit_code = EXIT_CODES[Verdict(comparison.verdict)]
        raise refused

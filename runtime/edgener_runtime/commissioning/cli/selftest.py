"""`edgener-runtime selftest`."""

from __future__ import annotations

import shutil
from functools import partial
from itertools import islice
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING

import click

from edgener_runtime.base.serde import to_json
from edgener_runtime.cli.console import write_line
from edgener_runtime.cli.options import FiniteRange, ThreadCount
from edgener_runtime.errors import UserInputError
from edgener_runtime.machine.devices import DEVICES
from edgener_runtime.text.inputs import FORMATS, read_records

if TYPE_CHECKING:
    from edgener_runtime.commissioning.selftest.report import CheckResult, SelftestReport

_TEXTS = 64  # of an input file
_FILE = click.Path(path_type=Path, dir_okay=False)
_INDENT = 22  # characters before the details of a check
_NARROWEST = 30
_wrap = partial(wrap, break_long_words=False, break_on_hyphens=False)
_COLOURS = {"pass": "green", "fail": "red", "skipped": None}


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("--device", type=click.Choice(DEVICES), default="auto", show_default=True, help="Where to run.")
@click.option("--variant", default="auto", show_default=True, help="Variant of the bundle.")
@click.option("--threads", type=ThreadCount(), help="CPU threads [default: as tuned, or the usable cores].")
@click.option("--input", "source", metavar="FILE", help="Texts like those in production [default: synthetic ones].")
@click.option(
    "--format", "form", type=click.Choice(FORMATS), default="auto", show_default=True, help="Format of the input."
)
@click.option("--against", type=_FILE, help="Report of another machine, to compare the answers with.")
@click.option(
    "--seconds", type=FiniteRange(0.1), default=5, show_default=True, help="How long to measure speed and power."
)
@click.option("--name", help="Name of this machine in the report [default: the Jetson's model, or the CPU's].")
@click.option(
    "--emulated-by", metavar="PROGRAM", help="This machine is emulated: leave out everything that measures speed."
)
@click.option(
    "--out", type=_FILE, help="Write the report to this file, and a page beside it (report.json, report.html)."
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.pass_context
def selftest(
    context: click.Context, bundle: Path, device: str, variant: str, threads: int | None, source: str | None, form: str,
    against: Path | None, seconds: float, name: str | None, emulated_by: str | None, out: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Check that BUNDLE runs correctly on this machine.

    One report has the checks, speed, memory and power. Exit codes: 0 all checks passed or were skipped with a reason,
    3 labels or logits differ, 4 there was no reference for a GPU's answers, 5 the bundle is damaged, 6 the device is
    missing. tensorrt and jetson were not run on their hardware yet.

    \b
    Examples:
      edgener-runtime selftest out/bundle --out report.json
      edgener-runtime selftest out/bundle --device cuda --against laptop.json
    """
    from edgener_runtime.cli.results import check_result_file
    from edgener_runtime.commissioning.selftest.context import SelftestRequest
    from edgener_runtime.commissioning.selftest.report import read_report
    from edgener_runtime.commissioning.selftest.run import run_selftest, summary

    if out and out.suffix == ".html":
        raise click.UsageError("--out is the report, such as report.json; the page is written beside it")
    if out:
        check_result_file(out)
    texts = _texts(source, form) if source else None
    known = read_report(against) if against else None
    request = SelftestRequest(bundle, device, variant, threads, texts, known, emulated_by, seconds, name)
    report = run_selftest(request, _say)
    if out:
        _write(report, out)
    write_line(to_json(report).rstrip("\n") if as_json else summary(report))
    context.exit(report.exit_code)


def _texts(source: str, form: str) -> tuple[str, ...]:
    texts = tuple(record["text"] for record in islice(read_records(source, form), _TEXTS))
    if not texts:
        raise UserInputError(f"{source} has no texts", "Leave out --input for synthetic texts.")
    return texts


def _say(result: CheckResult) -> None:
    """Print a check that ended, its details in the lines below each other and no wider than the terminal."""
    click.secho(f"{result.status:<8}", fg=_COLOURS[result.status], nl=False, err=True)
    width = shutil.get_terminal_size().columns - _INDENT  # 80 where stdout is not a terminal
    texts = [result.detail, *(result.hint or "").splitlines()]
    lines = [line for text in texts for line in _wrap(text, max(width, _NARROWEST))]
    click.echo(f"{result.name:<14}" + f"\n{'':<{_INDENT}}".join(lines), err=True)


def _write(report: SelftestReport, out: Path) -> None:
    from edgener_runtime.cli.results import write_result
    from edgener_runtime.commissioning.selftest.page import page

    write_result(out, to_json(report))
    write_result(out.with_suffix(".html"), page(report))

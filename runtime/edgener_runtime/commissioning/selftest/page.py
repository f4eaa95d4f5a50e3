"""The page of a selftest for people: one file that loads nothing and in which everything is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape
from pathlib import Path

from .report import CheckResult, SelftestReport
from .run import summary

_STYLE = Path(__file__).with_name("page.css")
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def page(report: SelftestReport) -> str:
    """A report as HTML: the verdict, every check, every figure, and the machine."""
    parts = (
        table("Checks", ("check", "proves", "", "what was found"), map(_check_row, report.checks)),
        table("Figures", ("figure", "value"), _figure_rows(report.checks)),
        table("Machine", ("what", "value"), _rows(_machine(report))),
        table("Versions", ("package", "version"), _rows(report.versions.items())),
    )
    return document(summary(report), report.verdict, "".join(parts))


def document(title: str, verdict: str, body: str) -> str:
    """A page of its own around markup that is escaped already; `verdict` colours its heading."""
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<title>{escape(title)}</title>
<style>
{_STYLE.read_text(encoding="utf-8")}</style>
<h1 class="{escape(verdict)}">{escape(title)}</h1>
{body}</html>
"""


def table(caption: str, columns: Iterable[str], rows: Iterable[str]) -> str:
    """A table with a caption, of rows that are markup already."""
    heads = "".join(f"<th scope=col>{escape(column)}</th>" for column in columns)
    return f"<table>\n<caption>{escape(caption)}</caption>\n<tr>{heads}</tr>\n{''.join(rows)}</table>\n"


def _check_row(check: CheckResult) -> str:
    hint = f"<br>{escape(check.hint)}" if check.hint else ""
    status = escape(check.status)
    return (
        f"<tr><th scope=row>{escape(check.name)}</th><td>{escape(check.proves)}</td>"
        f'<td class="{status}">{status}</td><td>{escape(check.detail)}{hint}</td></tr>\n'
    )


def _figure_rows(checks: Iterable[CheckResult]) -> Iterator[str]:
    return _rows((name, f"{value:.4g}") for check in checks for name, value in check.figures.items())


def _rows(pairs: Iterable[tuple[str, object]]) -> Iterator[str]:
    for name, value in pairs:
        yield f"<tr><th scope=row>{escape(name)}</th><td>{escape(str(value))}</td></tr>\n"


def _machine(report: SelftestReport) -> Iterator[tuple[str, object]]:
    machine = report.machine
    yield from (("name", machine.name), ("architecture", machine.architecture), ("system", machine.system))
    yield from (("Python", machine.python), ("CPU", machine.cpu), ("instructions", machine.isa))
    yield "cores that may be used", machine.cores
    yield "memory", "unknown" if machine.memory is None else f"{machine.memory / 1e9:.1f} GB"
    if machine.emulated_by:
        yield "emulated by", f"{machine.emulated_by}: answers, not speed"
    yield from (("bundle", report.bundle), ("model", report.model or "-"), ("made", report.created))

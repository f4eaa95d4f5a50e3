"""Pages for people: one file each that loads nothing, in one style, and among them the page of a selftest."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from pathlib import Path

from edgener_runtime.base.tables import Html, html_table

from .report import CheckResult, SelftestReport
from .run import summary

_STYLE = Path(__file__).with_name("page.css")
# The chart of latencies in pixels: letters, the longest bar, the room for figures behind it, and a line.
_LABEL, _SCALE, _FIGURES, _LINE = 12, 520, 200, 28


def page(report: SelftestReport) -> str:
    """A report as HTML: the latency, the verdict, every check, every figure, and the machine."""
    verdict = f'<p class="advice {escape(report.verdict)}">{escape(summary(report))}</p>\n'
    checks = html_table("Checks", ("check", "verdict", "what was found", "proves"), map(_check_row, report.checks))
    tables = (
        html_table("Figures", ("figure", "value"), _figure_rows(report.checks), look="wrapped"),
        html_table("Machine", ("property", "value"), _machine(report), look="wrapped"),
        html_table("Versions", ("package", "version"), report.versions.items(), look="wrapped"),
    )
    parts = (latency_chart([report]), verdict, checks, '<div class="grid">\n', *tables, "</div>\n")
    return document(f"Selftest of {report.bundle}", Html("".join(parts)))


def document(title: str, body: Html, *, style: str = "", script: str = "") -> str:
    """A page under its heading; its policy lets nothing be loaded, and nothing run but `script`."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    allowed = f"'sha256-{digest}'" if script else "'none'"
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src {allowed}; base-uri 'none'; form-action 'none'"
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{escape(title)}</title>
<style>
{_STYLE.read_text(encoding="utf-8")}{style}</style>
</head>
<body>
<main>
<h1>{escape(title)}</h1>
{body}</main>
{f"<script>{script}</script>" if script else ""}
</body>
</html>
"""


def latency_chart(reports: Sequence[SelftestReport]) -> Html:
    """The latency of each report that measured it, from the median to the 99th percentile; empty where none did."""
    found = [(report, report.figure("p50_ms"), report.figure("p99_ms")) for report in reports]
    spans = [(_what(report), low, max(low, high or low)) for report, low, high in found if low is not None]
    if not spans:
        return Html("")
    longest = max(high for _, _, high in spans) or 1.0
    marks = "".join(_span(line, name, low, high, longest) for line, (name, low, high) in enumerate(spans))
    text = "Latency of one text, from the median to the 99th percentile"
    width, height = _SCALE + _FIGURES, 2 * _LINE * len(spans)
    opening = f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{text}" style="max-width:{width}px">'
    return Html(
        f"<figure>\n<h3>{text}</h3>\n{opening}\n{marks}</svg>\n"
        "<figcaption>In milliseconds from 0; shorter is better.</figcaption>\n</figure>\n"
    )


def _span(line: int, name: str, low: float, high: float, longest: float) -> str:
    """One report of the chart: its name, a bar up to the median, and a line on to the 99th percentile."""
    top = 2 * _LINE * line
    middle, ends = top + 1.5 * _LINE, (_SCALE * low / longest, _SCALE * high / longest)
    return (
        f'<text x="0" y="{top + _LINE - 6}" font-size="{_LABEL + 1}">{escape(name)}</text>\n'
        f'<rect class="bar" x="0" y="{middle - 8}" width="{ends[0]:.1f}" height="16"></rect>\n'
        f'<line class="whisker" x1="{ends[0]:.1f}" x2="{ends[1]:.1f}" y1="{middle}" y2="{middle}"></line>\n'
        f'<text x="{ends[1] + 8:.1f}" y="{middle + 4}" font-size="{_LABEL}">p50 {low:.2f}, p99 {high:.2f} ms</text>\n'
    )


def _what(report: SelftestReport) -> str:
    return f"{report.variant or report.bundle} on {report.provider or report.device}, {report.machine.name}"


def _check_row(check: CheckResult) -> tuple[str, ...]:
    status, hint = escape(check.status), f'<br><span class="faint">{escape(check.hint)}</span>' if check.hint else ""
    verdict = Html(f'<span class="status {status}">{status}</span>')
    return check.name, verdict, Html(escape(check.detail) + hint), check.proves


def _figure_rows(checks: Iterable[CheckResult]) -> Iterator[tuple[str, str]]:
    return ((name, f"{value:.4g}") for check in checks for name, value in check.figures.items())


def _machine(report: SelftestReport) -> Iterator[tuple[str, str]]:
    machine = report.machine
    yield from (("name", machine.name), ("architecture", machine.architecture), ("system", machine.system))
    yield from (("Python", machine.python), ("CPU", machine.cpu), ("instructions", machine.isa))
    yield "cores that may be used", str(machine.cores)
    yield "memory", "unknown" if machine.memory is None else f"{machine.memory / 1e9:.1f} GB"
    if machine.emulated_by:
        yield "emulated by", f"{machine.emulated_by}: answers, not speed"
    yield from (("bundle", report.bundle), ("model", report.model or "-"), ("made", report.created))

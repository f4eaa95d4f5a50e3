"""The selftests of many machines as one matrix, in Markdown and as a page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from html import escape

from edgener_runtime.base.tables import Html, html_table, literal, markdown_table
from edgener_runtime.commissioning.selftest.answers import compare
from edgener_runtime.commissioning.selftest.page import document, latency_chart
from edgener_runtime.commissioning.selftest.report import PASS, SelftestReport
from edgener_runtime.errors import UserInputError

_TITLE = "Selftests"
COLUMNS = ("machine", "ran on", "model", "labels", "p50 ms", "p99 ms", "MB", "W", "verdict")
_NOTHING = "-"


@dataclass(frozen=True)
class SelftestRow:
    """One selftest as tables show it, a text for each of COLUMNS."""

    machine: str
    ran_on: str
    model: str
    labels: str
    median_ms: str
    p99_ms: str
    megabytes: str
    watts: str
    verdict: str

    def cells(self) -> tuple[str, ...]:
        """The texts in the order of COLUMNS."""
        return tuple(getattr(self, field.name) for field in fields(self))


@dataclass(frozen=True)
class SelftestMatrix:
    """One row per selftest, and the kinds of device on which none has passed yet."""

    rows: tuple[SelftestRow, ...]
    not_run: tuple[str, ...]
    schema_version: int = 1


def _on(provider: str) -> Callable[[SelftestReport], bool]:
    return lambda report: provider in (report.provider or "").lower()


# Kinds of device, and whether a selftest ran on one.
KINDS: dict[str, Callable[[SelftestReport], bool]] = {
    "CPU": _on("cpu"),
    "CUDA": _on("cuda"),
    "TensorRT": _on("tensorrt"),
    "Jetson": lambda report: bool(report.machine.probe.get("jetson")),
}


def merge(reports: Sequence[SelftestReport]) -> SelftestMatrix:
    """The matrix of reports in their order, emulated machines last. Raises UserInputError where there are none."""
    if not reports:
        raise UserInputError("there are no reports to merge", "edgener report benchmarks/devices/*.json")
    reports = sorted(reports, key=lambda report: report.machine.emulated_by is not None)
    proven = [report for report in reports if report.verdict == PASS and not report.machine.emulated_by]
    not_run = tuple(kind for kind, ran in KINDS.items() if not any(map(ran, proven)))
    return SelftestMatrix(tuple(_row(report, _reference(report, reports)) for report in reports), not_run)


def not_run_line(matrix: SelftestMatrix) -> str:
    """The sentence that names the kinds of device on which no selftest has passed yet; empty where there are none."""
    return f"Not run on a device yet: {', '.join(matrix.not_run)}." if matrix.not_run else ""


def to_markdown(matrix: SelftestMatrix) -> str:
    """A Markdown table, and below it the kinds of device that no selftest has passed on."""
    rows = markdown_table(COLUMNS, (map(literal, row.cells()) for row in matrix.rows))
    rest = not_run_line(matrix)
    return f"{rows}\n{rest}\n" if rest else rows


def to_html(matrix: SelftestMatrix, reports: Sequence[SelftestReport]) -> str:
    """A page that loads nothing and in which everything is escaped; `reports` are those of the matrix."""
    failed = sum(row.verdict.startswith("fail") for row in matrix.rows)
    counted = f"{len(matrix.rows)} selftests, of which {failed or 'none'} failed. {not_run_line(matrix)}".strip()
    sentence = f'<p class="advice {"fail" if failed else "pass"}">{escape(counted)}</p>\n'
    table = html_table("One row per selftest", COLUMNS, (row.cells() for row in matrix.rows))
    return document(_TITLE, Html(latency_chart(reports) + sentence + table))


def _reference(report: SelftestReport, reports: Sequence[SelftestReport]) -> SelftestReport | None:
    """The first report of the same model that passed; the labels of the others are compared with its labels."""
    same = (other for other in reports if other.model == report.model and other.answers and other.verdict == PASS)
    return next(same, None)


def _row(report: SelftestReport, reference: SelftestReport | None) -> SelftestRow:
    machine = report.machine
    emulated = f", emulated by {machine.emulated_by}: answers, not speed" if machine.emulated_by else ""
    return SelftestRow(
        machine=f"{machine.name} ({machine.architecture}{emulated})",
        ran_on=_ran_on(report),
        model=f"{report.variant} of {report.bundle}" if report.variant else report.bundle,
        labels=_labels(report, reference),
        median_ms=_figure(report, "p50_ms", ".2f"),
        p99_ms=_figure(report, "p99_ms", ".2f"),
        megabytes=_figure(report, "peak_rss_mb", ".0f"),
        watts=_figure(report, "mean_watts", ".1f"),
        verdict=_verdict(report),
    )


def _ran_on(report: SelftestReport) -> str:
    """The provider by its short name, and the library that ran."""
    if report.provider is None:
        return f"nothing; {report.device} was asked for"
    kind = next((kind for kind in KINDS if _on(kind.lower())(report)), report.provider)
    return f"{kind}, {report.library}"


def _labels(report: SelftestReport, reference: SelftestReport | None) -> str:
    """The share of labels equal to those of the first machine with this model; on that one, to FP32's on its CPU."""
    if not report.answers:
        return _NOTHING
    if reference is None or reference is report:
        share = report.figure("equal_labels")
        return "the reference" if share is None else f"{share:.2%} of its own CPU's reference"
    try:
        found = compare(report.answers, reference.answers, 0)
    except UserInputError:
        return f"other texts than {reference.machine.name}"
    return f"{1 - found.differing / max(1, found.subwords):.2%} of {reference.machine.name}'s"


def _figure(report: SelftestReport, name: str, pattern: str) -> str:
    value = report.figure(name)
    return _NOTHING if value is None else format(value, pattern)


def _verdict(report: SelftestReport) -> str:
    failed = report.failed
    if failed is None:
        return report.verdict if not report.exit_code else f"{report.verdict} ({report.exit_code})"
    return f"{report.verdict} ({failed.exit_code}), {failed.name}: {failed.detail}"

"""The matrix of selftests as Markdown and as a page."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from edgener_runtime.base.tables import Html, html_table, literal, markdown_table
from edgener_runtime.commissioning.selftest.page import document, latency_chart
from edgener_runtime.commissioning.selftest.report import SelftestReport

from .devices import COLUMNS, SelftestMatrix, not_run_line

TITLE = "Selftests"


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
    return document(TITLE, Html(latency_chart(reports) + sentence + table))

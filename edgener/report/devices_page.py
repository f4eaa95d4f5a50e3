"""The matrix of selftests as Markdown and as a page."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from edgener_runtime.base.tables import literal, markdown_table
from edgener_runtime.commissioning.selftest.page import document, table

from .devices import COLUMNS, Matrix, not_run_line

TITLE = "What was proven where"


def to_markdown(matrix: Matrix) -> str:
    """A Markdown table, and below it what has not been run."""
    rows = markdown_table(COLUMNS, (map(literal, row.cells()) for row in matrix.rows))
    rest = not_run_line(matrix)
    return f"{rows}\n{rest}\n" if rest else rows


def to_html(matrix: Matrix) -> str:
    """A page that loads nothing and in which everything is escaped."""
    rows = (f"<tr>{_cells(row.cells())}</tr>\n" for row in matrix.rows)
    verdict = "fail" if any(row.verdict.startswith("fail") for row in matrix.rows) else "pass"
    rest = not_run_line(matrix)
    return document(
        TITLE, verdict, table("A row a selftest", COLUMNS, rows) + (f"<p>{escape(rest)}</p>\n" * bool(rest))
    )


def _cells(cells: Iterable[str]) -> str:
    return "".join(f"<td>{escape(cell)}</td>" for cell in cells)

"""Tables of text as Markdown, the one writer for all packages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape


def markdown_table(columns: Sequence[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table, one line per row; a bar or a line break in a cell stays in the cell."""
    lines = [columns, ("---",) * len(columns), *([_cell(cell) for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def literal(text: str) -> str:
    """A text for Markdown, on one line, in which no character is markup of HTML or an escape."""
    return escape(text, quote=False).replace("\\", "\\\\").replace("\n", "<br>")


def _cell(cell: str) -> str:
    return cell.replace("|", "\\|").replace("\n", "<br>")

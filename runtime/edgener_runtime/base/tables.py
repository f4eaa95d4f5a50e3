"""Tables of text as Markdown and as HTML, each written by one function for all packages."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from html import escape


class Html(str):
    """Text that is markup already; all other text is escaped when it is written into a page."""

    def __html__(self) -> str:
        """The markup, under the name that template engines look for."""
        return self


def markdown_table(columns: Sequence[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table, one line per row; a bar or a line break in a cell stays in the cell."""
    lines = [columns, ("---",) * len(columns), *([_cell(cell) for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def literal(text: str) -> str:
    """A text for Markdown, on one line, in which no character is markup of HTML or an escape."""
    return escape(text, quote=False).replace("\\", "\\\\").replace("\n", "<br>")


def html_table(
    caption: str, columns: Sequence[str], rows: Iterable[Iterable[str]], more: Collection[str] = (), look: str = ""
) -> Html:
    """An HTML table whose rows begin with their heading; the columns `more` are shown where a switch is on."""
    hidden = [column in more for column in columns]
    titles = zip(columns, hidden, strict=True)
    heads = "".join(f"<th scope=col{_more(each)}>{_text(title)}</th>" for title, each in titles)
    body = "".join(f"<tr>{_cells(list(row), hidden)}</tr>\n" for row in rows)
    name = escape(caption)
    return Html(
        f'<div class="table {escape(look)}">\n{COLUMN_SWITCH if any(hidden) else ""}'
        f'<div class="wide" tabindex="0" role="region" aria-label="{name}">\n<table>\n<caption>{name}</caption>\n'
        f"<thead><tr>{heads}</tr></thead>\n<tbody>\n{body}</tbody>\n</table>\n</div>\n</div>\n"
    )


# A check box, not a script: the style shows what is of class `more` beside it where it is on.
COLUMN_SWITCH = Html('<label class="switch"><input type="checkbox" autocomplete="off"> all columns</label>\n')


def _cell(cell: str) -> str:
    return cell.replace("|", "\\|").replace("\n", "<br>")


def _cells(cells: Sequence[str], hidden: Sequence[bool]) -> str:
    tags = ["th scope=row", *["td"] * (len(cells) - 1)]
    parts = zip(tags, cells, hidden, strict=True)
    return "".join(f"<{tag}{_more(each)}>{_text(cell)}</{tag[:2]}>" for tag, cell, each in parts)


def _more(hidden: bool) -> str:
    return " class=more" if hidden else ""


def _text(cell: str) -> str:
    return cell if isinstance(cell, Html) else f"<bdi>{escape(cell)}</bdi>"

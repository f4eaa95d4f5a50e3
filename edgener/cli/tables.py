"""Tables of many figures that stay whole on a terminal of 80 columns."""

from __future__ import annotations

from typing import Any


def narrow_table(*columns: str, title: str) -> Any:
    """A rich Table without rules between columns; what is too wide goes on in the next line, nothing is cut."""
    from rich import box
    from rich.table import Table

    table = Table(title=title, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table

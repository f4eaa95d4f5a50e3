"""Tables that stay readable on 80 columns, the width of a terminal and of a log."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from edgener.confidence.reliability import Reliability
    from edgener.parity.bootstrap import Estimate
    from edgener_runtime.commissioning.bench.results.record import Interval

_GAP = 2  # characters between columns
_WIDEST = 120  # columns of a table whose words do not fit the console


def narrow_table(*columns: str, title: str, wraps: Collection[str]) -> Any:
    """A rich Table without rules between columns, in which only the columns `wraps` go on in the next line."""
    from rich import box
    from rich.table import Table

    table = Table(title=title, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column not in wraps)
    return table


def reliability_table(reliability: Reliability, title: str = "scores of") -> Any:
    """The expected calibration error before and after the temperature, of tokens and of entities."""
    table = narrow_table(title, "number", "ECE before", "ECE after", title="", wraps=(title,))
    for name, both in reliability.kinds.items():
        after = f"{both.after.error:.4f}" if both.after else "-"
        table.add_row(name, f"{both.before.count:,}", f"{both.before.error:.4f}", after)
    return table


def print_table(console: Console, table: Table) -> None:
    """Print a table of narrow_table, which wraps between words; it may be wider than the console, so that no word is
    broken."""
    from rich.cells import cell_len

    texts = [[str(column.header), *map(str, column.cells)] for column in table.columns]
    lines = [[line for text in cells for line in text.splitlines()] for cells in texts]
    full = [max(map(cell_len, column), default=0) for column in lines]
    words = [
        width if column.no_wrap else max((cell_len(word) for line in found for word in line.split()), default=0)
        for column, found, width in zip(table.columns, lines, full, strict=True)
    ]
    gaps = _GAP * (len(full) - 1)
    console.width = max(console.width, min(_WIDEST, sum(words) + gaps))
    for column, width in zip(table.columns, fitted(words, full, console.width - gaps), strict=True):
        column.width = width
    console.print(table)


def fitted(least: Sequence[int], full: Sequence[int], room: int) -> list[int | None]:
    """The widths of columns between `least` and `full` that fill the room; None for each where `least` is too wide."""
    if sum(least) > room:
        return [None] * len(least)
    widths = list(least)
    for _ in range(min(room, sum(full)) - sum(least)):
        growing = (column for column, width in enumerate(widths) if width < full[column])
        widths[max(growing, key=lambda column: full[column] / max(1, widths[column]))] += 1
    return list(widths)


def stacked(estimate: Estimate | Interval | None, pattern: str) -> str:
    """A figure above the ends of its interval, or a dash where it was not measured."""
    if estimate is None:
        return "-"
    value, low, high = (pattern.format(number) for number in (estimate.value, estimate.low, estimate.high))
    return f"{value}\n{low.rstrip('%')}..{high}"

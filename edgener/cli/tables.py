"""Tables of many figures that stay whole on a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgener.parity.bootstrap import Estimate
    from edgener_runtime.commissioning.bench.results.record import Interval


def narrow_table(*columns: str, title: str, wraps: Collection[str]) -> Any:
    """A rich Table without rules between columns, in which only the columns `wraps` go on in the next line."""
    from rich import box
    from rich.table import Table

    table = Table(title=title, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column not in wraps)
    return table


def stacked(estimate: Estimate | Interval | None, form: str) -> str:
    """A figure above the ends of its interval, or a dash where there was nothing to measure it on."""
    if estimate is None:
        return "-"
    value, low, high = (form.format(number) for number in (estimate.value, estimate.low, estimate.high))
    return f"{value}\n{low.rstrip('%')}..{high}"

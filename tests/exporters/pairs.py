"""Which pairs of two lists `make test` runs; `make test-slow` runs all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest


def pairs(rows: Sequence[Any], columns: Sequence[Any], shift: int = 0, name: Callable[[Any], str] = str) -> list[Any]:
    """Parameters of every pair, row first, all slow but one column for each row, in turn from the column `shift`.

    With another shift in each test, every pair stands in some test, every row in every test, and every column in
    each test that has as many rows: three-way pairwise over tests, rows and columns.
    """
    return [
        pytest.param(
            row, column, id=f"{name(row)}-{column}",
            marks=() if (place + shift) % len(columns) == columns.index(column) else pytest.mark.slow,
        )
        for place, row in enumerate(rows)
        for column in columns
    ]  # fmt: skip

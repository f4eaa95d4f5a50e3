"""The pairs of a table that the fast suite runs."""

from __future__ import annotations

from .pairs import pairs
from .test_builders import ARCHITECTURES, BUILT

TESTS = 4  # those of builders and architectures: see `shift=` in this folder


def fast(rows: list[str], columns: list[str], shift: int) -> set[tuple[str, str]]:
    found = pairs(rows, columns, shift)
    assert len(found) == len(rows) * len(columns)
    return {parameter.values for parameter in found if not parameter.marks}


def test_every_row_and_column_stands_in_each_test() -> None:
    for shift in range(TESTS):
        chosen = fast(BUILT, ARCHITECTURES, shift)
        assert len(chosen) == len(BUILT)
        assert {row for row, _ in chosen} == set(BUILT) and {column for _, column in chosen} == set(ARCHITECTURES)


def test_every_pair_stands_in_one_of_the_tests() -> None:
    chosen = set().union(*(fast(BUILT, ARCHITECTURES, shift) for shift in range(TESTS)))
    assert len(chosen) == len(BUILT) * len(ARCHITECTURES)

"""Pairs of rows of two results that are compared."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations

from edgener_runtime.commissioning.bench.results.record import BenchResult, BenchRow, Case
from edgener_runtime.errors import UserInputError

DIMENSIONS = ("variant", "device", "threads")  # parts of a case that may be compared; the rest is the work


@dataclass(frozen=True)
class RowPair:
    """A row and the one that is compared with it."""

    base: BenchRow
    other: BenchRow


@dataclass(frozen=True)
class Matched:
    """The pairs of two results, and the cases of only one of them."""

    pairs: tuple[RowPair, ...]
    missing: tuple[Case, ...] = ()
    added: tuple[Case, ...] = ()


def match(base: BenchResult, other: BenchResult, name: str) -> Matched:
    """Pair rows of the same case; where no case is in both, rows that differ in dimensions of one value per side.

    Raises UserInputError where nothing matches either way; `name` is the other's.
    """
    for free in _ways(base.rows, other.rows):
        theirs = {_key(row.case, free): row for row in other.rows}
        ours = {_key(row.case, free): row for row in base.rows}
        if pairs := tuple(RowPair(row, theirs[key]) for key, row in ours.items() if key in theirs):
            missing = tuple(row.case for key, row in ours.items() if key not in theirs)
            return Matched(pairs, missing, tuple(row.case for key, row in theirs.items() if key not in ours))
    raise UserInputError(
        f"{name} has no row that the first file has too: {_cases(other.rows)}; the first has {_cases(base.rows)}",
        "Run the benchmark with the same --scenario, --variant, --threads, --length and --input on both sides.",
    )


def describe(case: Case) -> str:
    """A case in words and on one line: `int8-dynamic on cpu, 2 threads, single-stream, test.txt`."""
    threads = f"{case.threads} thread{'s' if case.threads != 1 else ''}"
    parts = [f"{case.variant} on {case.device}", threads, case.scenario, case.workload]
    if case.samples_per_query != 1:
        parts.append(f"{case.samples_per_query} texts per query")
    if case.bound_ms is not None:
        parts.append(f"p99 under {case.bound_ms:g} ms")
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in ", ".join(parts))


def _ways(ours: Sequence[BenchRow], theirs: Sequence[BenchRow]) -> list[tuple[str, ...]]:
    """The dimensions to leave out of account: none, or as few as may be of which each result has one value."""
    single = [
        name
        for name in DIMENSIONS
        if all(len({getattr(row.case, name) for row in rows}) == 1 for rows in (ours, theirs))
    ]
    return [free for count in range(len(single) + 1) for free in combinations(single, count)]


def _key(case: Case, free: Collection[str]) -> tuple[object, ...]:
    return tuple(value for name, value in asdict(case).items() if name not in free)


def _cases(rows: Sequence[BenchRow]) -> str:
    return "; ".join(describe(row.case) for row in rows) or "none"

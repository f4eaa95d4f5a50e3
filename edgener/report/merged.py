"""Files of `edgener report --merge`: selftests and benches of many machines, told apart by what they say they are."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgener.report.bench.columns import SHORT
from edgener.report.bench.matrix import BenchMatrix
from edgener.report.bench.matrix import merge as merge_benches
from edgener.report.bench.recommend import Bounds
from edgener_runtime.base.serde import to_json
from edgener_runtime.base.tables import literal, markdown_table
from edgener_runtime.commissioning.bench.results.record import KIND, BenchResult, read_result
from edgener_runtime.commissioning.selftest.report import SelftestReport, read_report
from edgener_runtime.errors import UserInputError

from . import devices_page
from .bench import page as bench_page
from .devices import COLUMNS, Matrix, merge, not_run_line
from .tables import Table


@dataclass(frozen=True)
class Merged:
    """Both matrices; None where no file was of that kind."""

    selftests: Matrix | None
    bench: BenchMatrix | None


def read(files: Sequence[Path]) -> tuple[list[SelftestReport], list[BenchResult]]:
    """Files by their kind. Raises UserInputError where one is of neither."""
    selftests, benches = [], []
    for file in files:
        if _kind(file) == KIND:
            benches.append(read_result(file))
        else:
            selftests.append(read_report(file))
    return selftests, benches


def merge_all(selftests: Sequence[SelftestReport], benches: Sequence[BenchResult], bounds: Bounds) -> Merged:
    """The matrices of what there is. Raises UserInputError where bounds are stated and nothing was measured."""
    if not benches and bounds != Bounds():
        raise UserInputError(
            "a bound is stated, and none of the files is a result of a bench",
            "Make one: edgener-runtime bench BUNDLE --out FILE",
        )
    return Merged(merge(selftests) if selftests else None, merge_benches(benches, bounds) if benches else None)


def as_json(merged: Merged, benches: Sequence[BenchResult]) -> str:
    """The one matrix there is, or both under their names."""
    return to_json(merged if merged.selftests and merged.bench else merged.selftests or merged.bench)


def as_markdown(merged: Merged, benches: Sequence[BenchResult]) -> str:
    """A table of each kind."""
    parts = [devices_page.to_markdown(merged.selftests)] if merged.selftests else []
    if merged.bench:
        columns = tuple(column.title for column in SHORT)
        rows = ([literal(column.cell(line)) for column in SHORT] for line in merged.bench.lines)
        parts += [markdown_table(columns, rows) + "\n" + _recommended(merged.bench)]
    return "\n".join(parts)


def as_html(merged: Merged, benches: Sequence[BenchResult]) -> str:
    """One page of all."""
    if merged.bench is None:
        assert merged.selftests
        return devices_page.to_html(merged.selftests)
    if merged.selftests is None:
        return bench_page.to_html(merged.bench, benches)
    proven = Table("A row a selftest", COLUMNS, tuple(row.cells() for row in merged.selftests.rows))
    return bench_page.to_html(merged.bench, benches, proven, not_run_line(merged.selftests))


def _recommended(matrix: BenchMatrix) -> str:
    return "".join(f"- {literal(f'{each.title}: {each.sentence}')}\n" for each in matrix.recommended)


def _kind(file: Path) -> object:
    """What a file says it is; its reader says what is wrong with one that cannot be read."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return found.get("kind") if isinstance(found, dict) else None

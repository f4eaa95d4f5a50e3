"""Files of `edgener report`: selftests and benchmark results of many machines, by the kind that each file states."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgener.report.bench.columns import SHORT
from edgener.report.bench.matrix import BenchMatrix
from edgener.report.bench.matrix import merge as merge_results
from edgener.report.bench.recommend import Bounds
from edgener_runtime.base.serde import to_json
from edgener_runtime.base.tables import literal, markdown_table
from edgener_runtime.commissioning.bench.results.record import KIND, BenchResult, read_result
from edgener_runtime.commissioning.selftest.report import SelftestReport, read_report
from edgener_runtime.errors import UserInputError

from . import devices
from .bench import page as bench_page
from .devices import COLUMNS, SelftestMatrix, merge, not_run_line
from .tables import TextTable

_NEITHER = "Name files that edgener-runtime selftest --out or edgener-runtime bench --out wrote."


@dataclass(frozen=True)
class MergedReports:
    """Both matrices; None where no file is of that kind."""

    selftests: SelftestMatrix | None
    bench: BenchMatrix | None


def read(files: Sequence[Path]) -> tuple[list[SelftestReport], list[BenchResult]]:
    """The files by their kind. Raises UserInputError where one is of neither."""
    selftests, results = [], []
    for file in files:
        if _kind(file) == KIND:
            results.append(_with_rows(read_result(file), file))
        else:
            selftests.append(read_report(file))
    return selftests, results


def _with_rows(result: BenchResult, file: Path) -> BenchResult:
    if not result.rows:
        raise UserInputError(f"{file} has no rows: nothing was measured", "Leave it out, or run the benchmark again.")
    return result


def merge_all(selftests: Sequence[SelftestReport], results: Sequence[BenchResult], bounds: Bounds) -> MergedReports:
    """The matrices of both kinds. Raises UserInputError where bounds are stated and there is no benchmark result."""
    if not results and bounds != Bounds():
        raise UserInputError(
            "a bound is stated, but none of the files is a benchmark result",
            "Make one: edgener-runtime bench BUNDLE --out FILE",
        )
    return MergedReports(merge(selftests) if selftests else None, merge_results(results, bounds) if results else None)


def as_json(merged: MergedReports) -> str:
    """The one matrix, or both under their names."""
    return to_json(merged if merged.selftests and merged.bench else merged.selftests or merged.bench)


def as_markdown(merged: MergedReports) -> str:
    """One table per kind."""
    parts = [devices.to_markdown(merged.selftests)] if merged.selftests else []
    if merged.bench:
        columns = tuple(column.title for column in SHORT)
        rows = ([literal(column.cell(line)) for column in SHORT] for line in merged.bench.lines)
        parts += [markdown_table(columns, rows) + "\n" + _recommended(merged.bench)]
    return "\n".join(parts)


def as_html(merged: MergedReports, selftests: Sequence[SelftestReport], results: Sequence[BenchResult]) -> str:
    """One page of both kinds."""
    if merged.bench is None:
        return devices.to_html(merged.selftests, selftests) if merged.selftests else ""
    if merged.selftests is None:
        return bench_page.to_html(merged.bench, results)
    proven = TextTable("One row per selftest", COLUMNS, tuple(row.cells() for row in merged.selftests.rows))
    return bench_page.to_html(merged.bench, results, proven, not_run_line(merged.selftests))


def _recommended(matrix: BenchMatrix) -> str:
    return "".join(f"- {literal(f'{each.title}: {each.sentence}')}\n" for each in matrix.recommended)


def _kind(file: Path) -> object:
    """The kind that a file states; a selftest's report states none. Raises UserInputError for other files."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserInputError(f"cannot read {file}: {error.strerror}", "Check the path and its permissions.") from None
    except (ValueError, RecursionError) as error:
        raise UserInputError(f"{file} is damaged, or not JSON: {error}", _NEITHER) from None
    if not isinstance(found, dict) or (found.get("kind") != KIND and "checks" not in found):
        raise UserInputError(f"{file} is neither a selftest's report nor a benchmark's result", _NEITHER)
    return found.get("kind")

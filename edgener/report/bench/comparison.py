"""A comparison of benchmark results as a page and as pictures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from edgener.compare.compare import NOT_JUDGED, BenchComparison, FileComparison, NamedResult
from edgener.compare.wording import COLUMNS, cells, heading, lines_below, table_rows, warnings_of
from edgener.report.canvas import xml_text
from edgener.report.html import embedded, render
from edgener.report.pictures import Picture
from edgener_runtime.base.files import staged_folder
from edgener_runtime.base.serde import to_json
from edgener_runtime.commissioning.bench.results.record import BenchResult, Case

from .pictures import ChartEntry, draw_distribution, draw_energy, draw_fronts, draw_lengths

FILE, PAGE = "comparison.json", "comparison.html"


def write_comparison(comparison: BenchComparison, results: Sequence[NamedResult], folder: Path) -> None:
    """Write comparison.json, comparison.html and all pictures (SVG and PNG) into a folder, in place of earlier ones."""
    with staged_folder(folder, FILE) as staging:
        drawn = _draw(results, staging)
        (staging / FILE).write_text(to_json(comparison), encoding="utf-8", newline="\n")
        (staging / PAGE).write_text(_page(comparison, drawn, staging), encoding="utf-8", newline="\n")


def comparison_page(comparison: BenchComparison, results: Sequence[NamedResult]) -> str:
    """The page alone, with its pictures inside."""
    with TemporaryDirectory() as folder:
        return _page(comparison, _draw(results, Path(folder)), Path(folder))


def entries_of(result: BenchResult, series: str = "") -> list[ChartEntry]:
    """The measured rows of a result, each named by its variant and what else varies in the result."""
    works = {work.name: work for work in result.workloads}
    cases = [row.case for row in result.rows]
    return [
        ChartEntry(xml_text(_name(row.case, cases)), row, works.get(row.case.workload), xml_text(series))
        for row in result.rows
        if row.figures
    ]


def _name(case: Case, cases: Sequence[Case]) -> str:
    threads = f"{case.threads} thread{'s' if case.threads != 1 else ''}"
    parts = (("device", case.device), ("threads", threads), ("workload", case.workload))
    varied = (text for name, text in parts if len({getattr(each, name) for each in cases}) > 1)
    return ", ".join((case.variant, *varied))


def _draw(results: Sequence[NamedResult], folder: Path) -> list[Picture]:
    stems = Counter(Path(named.name).stem for named in results)
    entries = [
        entry
        for named in results
        for entry in entries_of(named.result, _short(named.name, stems) if len(results) > 1 else "")
    ]
    others = (draw(entries, folder) for draw in (draw_lengths, draw_distribution, draw_energy))
    return [*draw_fronts(entries, folder), *(picture for picture in others if picture)]


def _short(name: str, stems: Counter[str]) -> str:
    """The stem of a file, or all of its name where several have that stem."""
    stem = Path(name).stem
    return stem if stems[stem] == 1 else name


def _page(comparison: BenchComparison, drawn: Sequence[Picture], folder: Path) -> str:
    values = {
        "comparison": comparison,
        "judged": comparison.verdict != NOT_JUDGED,
        "columns": COLUMNS,
        "against": [_part(comparison, each, number) for number, each in enumerate(comparison.against)],
        "drawn": embedded(drawn, folder),
    }
    return render("Benchmark comparison", "comparison.html", values)


def _part(comparison: BenchComparison, against: FileComparison, number: int) -> dict[str, Any]:
    """One file's table: the cells and warnings of each row, and the lines below; ids of notes are by `number`."""
    notes = warnings_of(against)
    rows = [(cells(row), [notes[mark] for mark in row.marks]) for row in table_rows(against)]
    return {
        "title": heading(comparison, against),
        "prefix": f"{number}-" if number else "",
        "rows": rows,
        "notes": list(notes.values()),
        "lines": list(lines_below(against)),
    }

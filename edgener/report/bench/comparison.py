"""A comparison of benches as a page and as pictures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from edgener.compare.compare import NOT_JUDGED, Comparison, Named
from edgener.compare.match import describe
from edgener.compare.wording import COLUMNS, heading, lines_below, table
from edgener.report.canvas import xml_text
from edgener.report.embed import embedded
from edgener.report.pictures import Picture
from edgener.report.tables import Table
from edgener.report.template import render
from edgener_runtime.base.files import staged_folder
from edgener_runtime.base.serde import to_json
from edgener_runtime.commissioning.bench.results.record import BenchResult
from edgener_runtime.text.tokenize import without_surrogates

from .pictures import Entry, draw_distribution, draw_energy, draw_fronts, draw_lengths

FILE, PAGE = "comparison.json", "comparison.html"


def write_comparison(comparison: Comparison, results: Sequence[Named], folder: Path) -> None:
    """Write comparison.json, comparison.html and every picture (SVG and PNG) into a folder, in place of the last."""
    with staged_folder(folder, FILE) as staging:
        drawn = _draw(results, staging)
        (staging / FILE).write_text(to_json(comparison), encoding="utf-8", newline="\n")
        (staging / PAGE).write_text(_page(comparison, drawn, staging), encoding="utf-8", newline="\n")


def comparison_page(comparison: Comparison, results: Sequence[Named]) -> str:
    """The page alone, with its pictures inside."""
    with TemporaryDirectory() as folder:
        return _page(comparison, _draw(results, Path(folder)), Path(folder))


def entries_of(result: BenchResult, prefix: str = "") -> list[Entry]:
    """The measured rows of a result, named by what tells them apart."""
    works = {work.name: work for work in result.workloads}
    return [
        Entry(xml_text(f"{prefix}{describe(row.case)}"), row, works.get(row.case.workload))
        for row in result.rows
        if row.figures
    ]


def _draw(results: Sequence[Named], folder: Path) -> list[Picture]:
    stems = Counter(Path(named.name).stem for named in results)
    entries = [
        entry
        for named in results
        for entry in entries_of(named.result, f"{_short(named.name, stems)}: " if len(results) > 1 else "")
    ]
    others = (draw(entries, folder) for draw in (draw_lengths, draw_distribution, draw_energy))
    return [*draw_fronts(entries, folder), *(picture for picture in others if picture)]


def _short(name: str, stems: Counter[str]) -> str:
    """The stem of a file, or all of its name where several have that stem."""
    stem = Path(name).stem
    return stem if stems[stem] == 1 else name


def _page(comparison: Comparison, drawn: Sequence[Picture], folder: Path) -> str:
    against = [
        (heading(comparison, each), Table("Rows", COLUMNS, tuple(table(each))), list(lines_below(each)))
        for each in comparison.against
    ]
    values = {
        "comparison": comparison,
        "judged": comparison.verdict != NOT_JUDGED,
        "against": against,
        "drawn": embedded(drawn, folder),
    }
    return without_surrogates(render("comparison.html", values))

"""Benches of many machines as one page: filters, columns to sort by, fronts, and what is recommended for bounds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from edgener.report.canvas import xml_text
from edgener.report.embed import Drawn, embedded
from edgener.report.tables import Table
from edgener.report.template import render
from edgener_runtime.commissioning.bench.results.record import PARTIAL, BenchResult, Workload
from edgener_runtime.text.tokenize import without_surrogates

from .columns import COLUMNS
from .matrix import BenchMatrix, Line, candidate_of, group_numbers
from .pictures import Entry, draw_fronts
from .recommend import Candidate

_FILTERS = ("machine", "variant", "device", "threads", "scenario", "texts")


@dataclass(frozen=True)
class Cell:
    """A text, and the number that it is sorted by; None where it is sorted by its text."""

    text: str
    value: float | None


@dataclass(frozen=True)
class Shown:
    """A line of the table: its cells, what the filters ask for, its group, and what it is as a choice."""

    cells: tuple[Cell, ...]
    filtered: dict[str, str]
    look: str
    front: bool
    group: int | None
    choice: Candidate | None


def to_html(matrix: BenchMatrix, results: Sequence[BenchResult], proven: Table | None = None, not_run: str = "") -> str:
    """The page; `results` are those of the matrix. A table of selftests can stand in it too, and what they lack."""
    groups = group_numbers(matrix.lines)
    shown = [_shown(line, groups.get(number)) for number, line in enumerate(matrix.lines)]
    values = {
        "matrix": matrix,
        "columns": COLUMNS,
        "rows": shown,
        "filters": {name: _choices(name, shown) for name in _FILTERS},
        "fronts": list(_fronts(matrix, results)),
        "machines": _machines(matrix),
        "proven": proven,
        "not_run": not_run,
    }
    return without_surrogates(render("bench.html", values, "bench.js"))


def _shown(line: Line, group: int | None) -> Shown:
    cells = tuple(Cell(column.cell(line), column.value(line)) for column in COLUMNS)
    filtered = {
        column.title: cell.text for column, cell in zip(COLUMNS, cells, strict=True) if column.title in _FILTERS
    }
    return Shown(cells, filtered, _look(line), line.front, group, candidate_of(line))


def _look(line: Line) -> str:
    """How a line stands out."""
    if line.row.figures is None:
        return "not-run"
    return "partial" if line.row.status == PARTIAL else "marked" if line.row.marks else ""


def _choices(name: str, shown: Sequence[Shown]) -> list[str]:
    return list(dict.fromkeys(row.filtered[name] for row in shown))


def _machines(matrix: BenchMatrix) -> Table:
    columns = ("machine", "what it is", "bundle", "begun", "seconds", "notes")
    rows = (
        (
            machine.name, machine.what, machine.bundle, machine.begun, f"{machine.seconds:.0f}",
            "; ".join([*("broken off" for _ in range(machine.partial)), *machine.notes]) or "-",
        )
        for machine in matrix.machines
    )  # fmt: skip
    return Table("The machines", columns, tuple(rows))


def _fronts(matrix: BenchMatrix, results: Sequence[BenchResult]) -> Iterator[tuple[str, list[Drawn]]]:
    """For each machine the pictures of its first work with gold labels, or of its first work."""
    works = {work.name: work for result in results for work in result.workloads}
    with TemporaryDirectory() as name:
        for number, machine in enumerate(dict.fromkeys(machine.name for machine in matrix.machines)):
            lines = [line for line in matrix.lines if line.machine == machine and candidate_of(line)]
            scored = [line for line in lines if line.row.f1 is not None] or lines
            work = scored[0].row.case.workload if scored else ""
            entries = list(_entries([line for line in lines if line.row.case.workload == work], works.get(work)))
            if drawn := draw_fronts(entries, Path(name), f"front-{number}"):
                yield f"{machine}: {work}", embedded(drawn, Path(name))


def _entries(lines: Sequence[Line], work: Workload | None) -> Iterator[Entry]:
    several = len({line.bundle for line in lines}) > 1
    for line in lines:
        if choice := candidate_of(line):
            yield Entry(xml_text(f"{line.bundle}: {choice.name}" if several else choice.name), line.row, work)

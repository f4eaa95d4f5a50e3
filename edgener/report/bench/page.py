"""Benchmark results of many machines as one page: a chart, a recommendation, a table to filter and sort, and charts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgener.notes import Note, notes_of
from edgener.report.html import render
from edgener.report.tables import TextTable
from edgener_runtime.commissioning.bench.results.record import BenchResult

from .charts import WorkRows, charts, work_rows
from .columns import COLUMNS, FIGURE, MatrixColumn
from .matrix import BenchMatrix, MatrixLine, candidate_of, candidates, group_numbers, groups_of, title_of
from .recommend import BenchCandidate, advise

TITLE = "Benchmark results"
_FILTERS = ("machine", "variant", "device", "threads", "scenario", "texts")


@dataclass(frozen=True)
class MatrixCell:
    """A text, the number that it is sorted by (None: by its text), and the notes of what makes it doubtful."""

    column: MatrixColumn
    text: str
    value: float | None
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True)
class MatrixRow:
    """A row of the table: its cells, the values that filters ask for, its group, and the row as a candidate.

    `leading` is the name that it has as a candidate in the first chart, among all machines.
    """

    cells: tuple[MatrixCell, ...]
    filtered: dict[str, str]
    run: bool
    front: bool
    group: int | None
    choice: BenchCandidate | None
    leading: str | None


def to_html(
    matrix: BenchMatrix, results: Sequence[BenchResult], proven: TextTable | None = None, not_run: str = ""
) -> str:
    """The page; `results` are those of the matrix. It can hold a table of selftests, and what none has run on."""
    works = work_rows(matrix.lines, results)
    leading = works[0].candidates() if works else {}
    groups, notes = group_numbers(matrix.lines), notes_of(line.warnings for line in matrix.lines)
    rows = [_row(line, notes, groups.get(number), leading.get(number)) for number, line in enumerate(matrix.lines)]
    drawn = list(charts(works))
    values = {
        "matrix": matrix,
        "columns": COLUMNS,
        "rows": rows,
        "notes": list(notes.values()),
        "filters": {name: list(dict.fromkeys(row.filtered[name] for row in rows)) for name in _FILTERS},
        "advice": advise(list(leading.values()), matrix.bounds),
        "absent": _absent(matrix.lines, works),
        "advised": _advised(matrix),
        "lead": drawn[:1],
        "charts": drawn[1:],
        "machines": _machines(matrix),
        "proven": proven,
        "not_run": not_run,
    }
    return render(TITLE, "bench.html", values, "bench.js")


def _row(line: MatrixLine, notes: dict[str, Note], group: int | None, leading: BenchCandidate | None) -> MatrixRow:
    cells = tuple(_cell(column, line, notes) for column in COLUMNS)
    filtered = {cell.column.title: cell.text for cell in cells if cell.column.title in _FILTERS}
    name = leading.name if leading else None
    return MatrixRow(cells, filtered, line.row.figures is not None, line.front, group, candidate_of(line), name)


def _cell(column: MatrixColumn, line: MatrixLine, notes: dict[str, Note]) -> MatrixCell:
    """A cell; that of the scenario's figure has the notes, or says that there is no figure."""
    if column is not FIGURE:
        return MatrixCell(column, column.cell(line), column.value(line))
    text = column.cell(line) if line.row.figures else line.row.status
    return MatrixCell(column, text, column.value(line), tuple(notes[warning] for warning in line.warnings))


def _absent(lines: Sequence[MatrixLine], works: Sequence[WorkRows]) -> list[str]:
    """The machines that the first chart does not show, as they did not measure its work."""
    measured = dict.fromkeys(line.machine for line in lines if candidate_of(line))
    shown = {line.machine for work in works[:1] for line in work.lines}
    return [machine for machine in measured if machine not in shown]


def _advised(matrix: BenchMatrix) -> list[tuple[str, str]]:
    """For each machine and work its name and its recommendation."""
    groups = groups_of(matrix.lines)
    return [
        (title_of(matrix.lines[group[0]]), advise(candidates(group, matrix.lines), matrix.bounds)) for group in groups
    ]


def _machines(matrix: BenchMatrix) -> TextTable:
    columns = ("machine", "system", "bundle", "started", "seconds", "notes")
    rows = (
        (
            machine.name, machine.what, machine.bundle, machine.started, f"{machine.seconds:.0f}",
            "; ".join([*("interrupted" for _ in range(machine.partial)), *machine.notes]) or "-",
        )
        for machine in matrix.machines
    )  # fmt: skip
    return TextTable("One row per result", columns, tuple(rows))

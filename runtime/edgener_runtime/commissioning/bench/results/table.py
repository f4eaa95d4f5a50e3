"""A result as text: a table of rows for each workload, the meaning of the marks, and the cases that did not run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from string import ascii_lowercase

from edgener_runtime.commissioning.bench.drivers.scenarios import SCENARIOS

from .record import FAILED, BenchFigures, BenchResult, BenchRow, Interval

_NONE = "-"
_KEYS = 4  # columns that identify a row: variant, device, threads, scenario
_TITLE_LINES = 2


@dataclass(frozen=True)
class BenchColumn:
    """A column of the table: its title in two lines, and its cell of a row; numbers are right-aligned."""

    title: tuple[str, str]
    cell: Callable[[BenchRow, BenchFigures], str]
    is_number: bool = True


def _spread(interval: Interval) -> str:
    """A figure with the relative distance to the further end of its interval."""
    if not interval.value:
        return _NONE
    far = max(interval.high - interval.value, interval.value - interval.low) / interval.value
    return f"{_digits(interval.value)} ±{f'{far:.1%}' if far < 1 else '>100%'}"


def _is_latency(row: BenchRow) -> bool:
    """Whether a row has a latency: not if all texts are in one query."""
    return SCENARIOS[row.case.scenario].percentile is not None


def _latency(row: BenchRow, value: float) -> str:
    return _digits(value) if _is_latency(row) else _NONE


def _digits(value: float | None) -> str:
    """A number with at least three digits."""
    if value is None:
        return _NONE
    return f"{value:.0f}" if value >= 100 else f"{value:.{1 if value >= 10 else 2}f}"


def _scenario(row: BenchRow) -> str:
    case = row.case
    return f"{case.scenario} x{case.samples_per_query}" if case.samples_per_query > 1 else case.scenario


def _metric(row: BenchRow, found: BenchFigures) -> str:
    percentile = SCENARIOS[row.case.scenario].percentile
    of = f"p{percentile} " if found.unit == "ms" else ""
    return f"{of}{_digits(found.metric.value)} {found.unit}"


COLUMNS = (
    BenchColumn(("", "variant"), lambda row, found: row.case.variant, is_number=False),
    BenchColumn(("", "device"), lambda row, found: row.case.device, is_number=False),
    BenchColumn(("", "threads"), lambda row, found: str(row.case.threads)),
    BenchColumn(("", "scenario"), lambda row, found: _scenario(row), is_number=False),
    BenchColumn(("by MLPerf's", "rules"), _metric),
    BenchColumn(("p50", "ms"), lambda row, found: _spread(found.p50_ms) if _is_latency(row) else _NONE),
    BenchColumn(("p90", "ms"), lambda row, found: _latency(row, found.p90_ms.value)),
    BenchColumn(("p95", "ms"), lambda row, found: _latency(row, found.p95_ms.value)),
    BenchColumn(("p99", "ms"), lambda row, found: _latency(row, found.p99_ms.value)),
    BenchColumn(("max", "ms"), lambda row, found: _latency(row, found.max_ms)),
    BenchColumn(("", "texts/s"), lambda row, found: _spread(found.texts_per_second)),
    BenchColumn(("subwords", "/s"), lambda row, found: _digits(found.subwords_per_second)),
    BenchColumn(("CPU s", "/1000"), lambda row, found: _digits(found.cpu_seconds_per_1000)),
    BenchColumn(("joules", "/1000"), lambda row, found: _digits(found.joules_per_1000)),
    BenchColumn(("load", "s"), lambda row, found: _digits(found.load_seconds)),
    BenchColumn(("first", "ms"), lambda row, found: _digits(found.first_ms)),
    BenchColumn(("RSS", "MB"), lambda row, found: _digits(found.steady_rss_mb)),
    BenchColumn(("peak", "MB"), lambda row, found: _digits(found.peak_rss_mb)),
    BenchColumn(("file", "MB"), lambda row, found: _digits(row.size_bytes / 1e6)),
    BenchColumn(("", "F1"), lambda row, found: _NONE if row.f1 is None else f"{row.f1:.4f}"),
    BenchColumn(("", "rounds"), lambda row, found: f"{len(row.rounds)} {row.ended_by}", is_number=False),
)


def table(result: BenchResult, width: int | None = None) -> str:
    """The tables of a result, for people; columns that exceed `width` continue in blocks below."""
    return "\n".join([*_head(result), *_tables(result, width), *_not_run(result), *_foot(result)])


def _head(result: BenchResult) -> Iterator[str]:
    machine = result.fingerprint
    yield f"{result.bundle} on {result.name}: {machine.cpu}, {machine.cores} cores, {machine.isa}"
    state = "interrupted: " if result.partial else ""
    yield f"{state}{result.seconds:.0f} s, driver {result.driver}, edgener {result.edgener_version}, {result.started}"


def _tables(result: BenchResult, width: int | None) -> Iterator[str]:
    """A table for each workload."""
    letters = _mark_letters(result.rows)
    for workload in result.workloads:
        rows = [row for row in result.rows if row.case.workload == workload.name and row.figures]
        if rows:
            yield f"\n{workload.name}: {workload.texts} texts, {workload.subwords} subwords"
            yield from _lines(rows, letters, width)


def _lines(rows: Sequence[BenchRow], letters: dict[str, str], width: int | None) -> Iterator[str]:
    """Titles and cells in columns, without columns that are empty in all rows, in blocks that fit the width."""
    marks = BenchColumn(("", ""), lambda row, found: ",".join(letters[mark] for mark in row.marks), is_number=False)
    aligned = []
    for column in (*COLUMNS, marks):
        cells = [column.cell(row, row.figures) for row in rows if row.figures]
        if set(cells) - {_NONE, ""}:
            aligned.append(_aligned([*column.title, *cells], column.is_number))
    for number, block in enumerate(_blocks(aligned, width)):
        lines = ["  ".join(line).rstrip() for line in zip(*block, strict=True)]
        yield from [""] if number else []
        yield from lines if lines[0] else lines[1:]


def _blocks(columns: Sequence[list[str]], width: int | None) -> Iterator[list[list[str]]]:
    """Columns in blocks that fit the width; each further block repeats the variant and the keys that differ."""
    keys = [columns[0], *(column for column in columns[1:_KEYS] if len(set(column[_TITLE_LINES:])) > 1)]
    block = list(columns[:_KEYS])
    for column in columns[_KEYS:]:
        if width and sum(len(each[0]) + 2 for each in block) + len(column[0]) > width:
            yield block
            block = list(keys)
        block.append(column)
    yield block


def _aligned(lines: Sequence[str], right: bool) -> list[str]:
    width = max(map(len, lines))
    return [line.rjust(width) if right else line.ljust(width) for line in lines]


def _mark_letters(rows: Iterable[BenchRow]) -> dict[str, str]:
    """The letter of each mark."""
    marks = dict.fromkeys(mark for row in rows for mark in row.marks)
    return {mark: ascii_lowercase[number] if number < 26 else str(number) for number, mark in enumerate(marks)}


def _not_run(result: BenchResult) -> Iterator[str]:
    """Cases that failed or did not run, each reason once per target."""
    found: dict[str, None] = {}
    for row in result.rows:
        if row.reason and (row.ended_by == FAILED or not row.figures):
            case = row.case
            found[f"{row.status}: {case.variant} on {case.device}, {case.threads} threads: {row.reason}"] = None
    yield from ["", *found] if found else []


def _foot(result: BenchResult) -> Iterator[str]:
    energy = dict.fromkeys(row.energy for row in result.rows if row.figures)
    yield ""
    yield from (f"energy: {source}" for source in energy)
    yield from (f"note: {note}" for note in result.notes)
    yield from (f"{letter}: {mark}" for mark, letter in _mark_letters(result.rows).items())

"""A comparison in words and in cells, the same in a terminal and in a page."""

from __future__ import annotations

from collections.abc import Iterator

from edgener.notes import Note, letters_of, note_lines, notes_of
from edgener.parity.gate import Verdict
from edgener_runtime.commissioning.bench.results.record import Interval
from edgener_runtime.errors import EdgenerError

from .compare import NOT_JUDGED, BenchComparison, ComparedRow, FileComparison, per_cent
from .match import describe
from .slowdown import speed_up

COLUMNS = ("case", "figure", "first", "this", "speed-up", "verdict")
_NOTHING = "-"
_HINTS = {
    Verdict.FAIL: "Find the cause of the slowdown, or allow more: --max-regression",
    Verdict.INCONCLUSIVE: "Measure again for longer, on a machine that runs nothing else: --seconds 600",
}


def heading(comparison: BenchComparison, against: FileComparison) -> str:
    """The names of both files, and the compared aspects."""
    compared = ", ".join(against.compared) or "the same twice"
    return f"{against.name} against {comparison.base} (compared: {compared})"


def table_rows(against: FileComparison) -> list[ComparedRow]:
    """The rows of the table: those with a slowdown or a verdict."""
    return [row for row in against.rows if _is_in_table(row)]


def warnings_of(against: FileComparison) -> dict[str, Note]:
    """The warnings of the table's rows, each with a letter."""
    return notes_of(row.marks for row in table_rows(against))


def cells(row: ComparedRow) -> tuple[str, ...]:
    """A text for each of COLUMNS."""
    values = (_NOTHING if value is None else f"{value:,.2f}" for value in (row.base_value, row.other_value))
    return (_case(row), row.figure, *values, _speed_up(row.slowdown), _verdict(row))


def cells_with_letters(row: ComparedRow, notes: dict[str, Note]) -> tuple[str, ...]:
    """The same, with the letters of the row's warnings behind its verdict."""
    *others, verdict = cells(row)
    return (*others, f"{verdict} [{letters_of(notes, row.marks)}]" if row.marks else verdict)


def lines_below(against: FileComparison) -> Iterator[str]:
    """What stands below the table, except its warnings."""
    yield from (f"not compared: {describe(row.case)}: {row.reason}" for row in against.rows if not _is_in_table(row))
    yield from (f"differs: {difference}" for difference in against.differences)
    if against.machine:
        yield f"the machine itself: {per_cent(against.machine)} for the same reference workload"
    yield from (f"only here: {describe(case)}" for case in against.added)
    yield from (f"note: {note}" for note in against.notes)


def warning_lines(against: FileComparison) -> list[str]:
    """A line per warning of the table, as a terminal shows it."""
    return note_lines(warnings_of(against))


def _is_in_table(row: ComparedRow) -> bool:
    return row.slowdown is not None or row.verdict != NOT_JUDGED


def outcome(found: Interval) -> str:
    """What a slowdown means without a limit."""
    if found.low > 1:
        return "slower"
    return "faster" if found.high < 1 else "no clear difference"


def refusal(comparison: BenchComparison) -> EdgenerError:
    """The error that a gate ends with; its exit code is the verdict's."""
    verdict = Verdict(comparison.verdict)
    rows = [row for against in comparison.against for row in against.rows if row.verdict == verdict]
    worst = max(rows, key=lambda row: row.slowdown.value if row.slowdown else 0.0)
    says = "slower than allowed" if verdict is Verdict.FAIL else "not surely as fast as required"
    counted = f"{len(rows)} row{'s are' if len(rows) != 1 else ' is'} {says}"
    return EdgenerError(f"{counted}; the worst is {describe(worst.case)}: {worst.reason}", _HINTS[verdict])


def _case(row: ComparedRow) -> str:
    ours, theirs = describe(row.case), describe(row.other)
    return ours if ours == theirs else f"{theirs}, against {ours}"


def _speed_up(found: Interval | None) -> str:
    if found is None:
        return _NOTHING
    ratio = speed_up(found)
    return f"{ratio.value:.3f}x\n{ratio.low:.3f}..{ratio.high:.3f}"


def _verdict(row: ComparedRow) -> str:
    """The verdict, or the outcome without a limit, with the reason."""
    word = outcome(row.slowdown) if row.slowdown and row.verdict == NOT_JUDGED else row.verdict
    return "; ".join(part for part in (word, row.reason) if part)

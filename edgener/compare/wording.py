"""A comparison in words and in cells, the same in a terminal and in a page."""

from __future__ import annotations

from collections.abc import Iterator

from edgener.parity.gate import Verdict
from edgener_runtime.commissioning.bench.results.record import Interval
from edgener_runtime.errors import EdgenerError

from .compare import NOT_JUDGED, Against, Comparison, Held, per_cent
from .match import describe
from .slowdown import speed_up

COLUMNS = ("case", "figure", "first", "this", "speed-up", "verdict")
_NOTHING = "-"
_HINTS = {
    Verdict.FAIL: "Find what made it slower, or allow more: --max-regression",
    Verdict.INCONCLUSIVE: "Measure again for longer, on a machine that does nothing else: --seconds 600",
}


def heading(comparison: Comparison, against: Against) -> str:
    """What is held against what, and what is compared by it."""
    compared = ", ".join(against.compared) or "the same twice"
    return f"{against.name} against {comparison.base} (compared: {compared})"


def table(against: Against) -> list[tuple[str, ...]]:
    """The rows that stand in the table."""
    return [_cells(row) for row in against.rows if stands(row)]


def _cells(row: Held) -> tuple[str, ...]:
    """A text for each of COLUMNS."""
    values = (_NOTHING if value is None else f"{value:,.2f}" for value in (row.base_value, row.other_value))
    return (_case(row), row.figure, *values, _speed_up(row.slowdown), _verdict(row))


def lines_below(against: Against) -> Iterator[str]:
    """What else there is to say of it, a line each."""
    yield from (f"not compared: {describe(row.case)}: {row.reason}" for row in against.rows if not stands(row))
    yield from (f"differs: {difference}" for difference in against.differences)
    if against.machine:
        yield f"the machine itself: {per_cent(against.machine)} for the same yardstick"
    yield from (f"only here: {describe(case)}" for case in against.added)
    yield from (f"note: {note}" for note in against.notes)


def stands(row: Held) -> bool:
    """Whether a row stands in the table: there is something to compare, or a verdict."""
    return row.slowdown is not None or row.verdict != NOT_JUDGED


def told(found: Interval) -> str:
    """What a slowdown says without a limit."""
    if found.low > 1:
        return "slower"
    return "faster" if found.high < 1 else "no difference is told"


def refusal(comparison: Comparison) -> EdgenerError:
    """The error that a gate ends with; its exit code is the verdict's."""
    verdict = Verdict(comparison.verdict)
    rows = [row for against in comparison.against for row in against.rows if row.verdict == verdict]
    worst = max(rows, key=lambda row: row.slowdown.value if row.slowdown else 0.0)
    says = "slower than allowed" if verdict is Verdict.FAIL else "not surely as fast as demanded"
    counted = f"{len(rows)} row{'s are' if len(rows) != 1 else ' is'} {says}"
    return EdgenerError(f"{counted}; the worst is {describe(worst.case)}: {worst.reason}", _HINTS[verdict])


def _case(row: Held) -> str:
    ours, theirs = describe(row.case), describe(row.other)
    return ours if ours == theirs else f"{theirs}, against {ours}"


def _speed_up(found: Interval | None) -> str:
    if found is None:
        return _NOTHING
    ratio = speed_up(found)
    return f"{ratio.value:.3f}x\n{ratio.low:.3f}..{ratio.high:.3f}"


def _verdict(row: Held) -> str:
    """The verdict or what the interval tells, with the reason and what makes it doubtful."""
    word = told(row.slowdown) if row.slowdown and row.verdict == NOT_JUDGED else row.verdict
    return "; ".join(part for part in (word, row.reason, *row.marks) if part)

"""Benchmark results compared with the first of them: the differences, the slowdowns, and the verdicts."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from edgener.parity.bootstrap import Estimate
from edgener.parity.gate import Verdict, verdict_of
from edgener_runtime.commissioning.bench.results.record import PARTIAL, BenchResult, BenchRow, Case, Interval
from edgener_runtime.errors import UserInputError

from .differences import Difference, aspects_of, check_comparable, differences
from .match import Matched, RowPair, describe, match
from .slowdown import beyond, machine_slowdown, measure_of, slowdown, widened

KIND = "edgener-comparison"
NOT_JUDGED = "not judged"
_OF_THE_MACHINE = {"machine", "system", "limits", "power"}  # differences by which a machine is another one


@dataclass(frozen=True)
class NamedResult:
    """A result and the name of its file."""

    name: str
    result: BenchResult


@dataclass(frozen=True)
class ComparedRow:
    """A row compared with that of the first file.

    `measured` is the other's time over the first's; `slowdown` is the same with the machine's own slowdown allowed
    for, and is what is judged. `verdict` is pass, fail, inconclusive or not judged, and `reason` says why.
    """

    case: Case
    other: Case
    figure: str
    base_value: float | None = None
    other_value: float | None = None
    measured: Interval | None = None
    slowdown: Interval | None = None
    verdict: str = NOT_JUDGED
    reason: str = ""
    marks: tuple[str, ...] = ()


@dataclass(frozen=True)
class FileComparison:
    """One file compared with the first: the aspects, all differences, and how much slower the machine itself was."""

    name: str
    compared: tuple[str, ...]
    differences: tuple[Difference, ...]
    machine: Interval | None
    rows: tuple[ComparedRow, ...]
    added: tuple[Case, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class BenchComparison:
    """All files compared with the first (`base`); `verdict` is the worst of all rows, `max_regression` is a share."""

    base: str
    max_regression: float | None
    against: tuple[FileComparison, ...]
    verdict: str
    kind: str = KIND
    schema_version: int = 1


def compare(
    base: NamedResult, others: Sequence[NamedResult], max_regression: float | None = None, across: Collection[str] = ()
) -> BenchComparison:
    """Compare results with the first; `across` names aspects that may differ besides the compared one.

    Raises UserInputError where more than that differs, or where nothing was measured on both sides.
    """
    against = tuple(_against(base, other, max_regression, across) for other in others)
    found = {row.verdict for each in against for row in each.rows}
    verdict = next((word for word in (Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.PASS) if word in found), NOT_JUDGED)
    return BenchComparison(base.name, max_regression, against, str(verdict))


def _against(base: NamedResult, other: NamedResult, limit: float | None, across: Collection[str]) -> FileComparison:
    matched = match(base.result, other.result, other.name)
    found = differences(base.result, other.result, matched.pairs)
    check_comparable(other.name, found, across)
    machine = None if _other_machine(found) else machine_slowdown(base.result, other.result)
    rows = tuple(_rows(matched, machine, limit, other.name))
    if not any(row.slowdown for row in rows):
        raise UserInputError(
            f"no row was measured both in {base.name} and in {other.name}: " + "; ".join(row.reason for row in rows),
            "Run the benchmark again where it failed, for longer: --seconds 300",
        )
    return FileComparison(
        other.name, aspects_of(found), found, machine, rows, matched.added, tuple(_notes(base, other, found))
    )


def _rows(matched: Matched, machine: Interval | None, limit: float | None, name: str) -> Iterator[ComparedRow]:
    for pair in matched.pairs:
        yield _held(pair, machine, limit)
    for case in matched.missing:
        verdict = NOT_JUDGED if limit is None else Verdict.INCONCLUSIVE
        yield ComparedRow(case, case, measure_of(case).name, verdict=str(verdict), reason=f"{name} has no such row")


def _held(pair: RowPair, machine: Interval | None, limit: float | None) -> ComparedRow:
    measure = measure_of(pair.base.case)
    ours, theirs = (measure.shown(row.figures).value if row.figures else None for row in (pair.base, pair.other))
    measured = slowdown(pair) if ours is not None and theirs is not None else None
    allowed = widened(measured, machine) if measured and machine else measured
    verdict, reason = _judged(pair, allowed, machine, limit)
    marks = tuple(f"{side}: {mark}" for side, row in (("first", pair.base), ("this", pair.other)) for mark in row.marks)
    cases = (pair.base.case, pair.other.case)
    return ComparedRow(*cases, measure.name, ours, theirs, measured, allowed, verdict, reason, marks)


def _judged(pair: RowPair, found: Interval | None, machine: Interval | None, limit: float | None) -> tuple[str, str]:
    """The verdict of a pair and the reason for it."""
    if found is None:
        reason = _unmeasured(pair)
        lost = limit is not None and pair.base.figures is not None
        return str(Verdict.INCONCLUSIVE) if lost else NOT_JUDGED, reason
    if limit is None:
        return NOT_JUDGED, ""
    if machine and beyond(machine, limit):
        return str(Verdict.INCONCLUSIVE), f"the machine itself took {per_cent(machine)}, which is more than the limit"
    verdict = verdict_of(Estimate(found.value - 1, found.low - 1, found.high - 1), limit)
    return str(verdict), f"{per_cent(found)}, allowed {limit:.1%}"


def per_cent(found: Interval) -> str:
    """A slowdown in words, with the ends of its interval: `+10.2 % time (+8.1 % to +12.0 %)`."""
    value, low, high = (f"{100 * (end - 1):+.1f} %" for end in (found.value, found.low, found.high))
    return f"{value} time ({low} to {high})"


def _unmeasured(pair: RowPair) -> str:
    sides = (("the first file", pair.base), ("this one", pair.other))
    return "; ".join(f"{_status(row)} in {side}" for side, row in sides if _status(row)) or "there is no sample"


def _status(row: BenchRow) -> str:
    return "" if row.figures else f"{row.status}{f' ({row.reason})' if row.reason else ''}"


def _other_machine(found: Collection[Difference]) -> bool:
    """Whether the reference workloads cannot be compared: another machine, or another numpy that computes them."""
    return any(difference.aspect in _OF_THE_MACHINE or difference.name == "numpy" for difference in found)


def _notes(base: NamedResult, other: NamedResult, found: Collection[Difference]) -> Iterator[str]:
    if _other_machine(found):
        yield "the reference workloads are not compared, as the machine or numpy differs"
    for side in (base, other):
        if side.result.partial:
            yield f"{side.name} was interrupted: its rows have fewer rounds"
        for row in side.result.rows:
            if row.status == PARTIAL:
                yield f"{side.name}: {describe(row.case)} is partial: {row.reason or row.ended_by}"

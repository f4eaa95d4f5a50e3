"""Benchmark results of many machines as one matrix, with the Pareto front of each machine and the F1 that is lost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from edgener.report.tradeoff import front
from edgener_runtime.commissioning.bench.drivers.scenarios import SCENARIOS
from edgener_runtime.commissioning.bench.results.record import (
    MEASURED,
    NOT_RUN,
    BenchResult,
    BenchRow,
    Case,
    Interval,
    MachineFingerprint,
)
from edgener_runtime.errors import UserInputError

from .recommend import BenchCandidate, Bounds, Recommendation, recommend

KIND = "edgener-bench-matrix"
REFERENCE = "pytorch"  # the original model, with which variants are compared; it is not put on a device


@dataclass(frozen=True)
class MatrixMachine:
    """Where and when a result was measured, and what makes its figures doubtful; names of machines are unique."""

    name: str
    what: str
    bundle: str
    started: str = field(metadata={"key": "begun"})
    seconds: float
    notes: tuple[str, ...] = ()
    partial: bool = False


@dataclass(frozen=True)
class MatrixLine:
    """A row on its machine, without its rounds.

    `f1_lost` is relative to PyTorch's F1 on the same texts, else FP32's, else the best. `front`: no other variant or
    thread count of this machine is better in both the scenario's figure and F1 (size, where there is no F1).
    """

    machine: str
    bundle: str
    row: BenchRow
    f1_lost: float | None = None
    front: bool = False

    @property
    def group(self) -> tuple[object, ...]:
        """The rows it competes with: those of its machine, its bundle and its work."""
        case = self.row.case
        return self.machine, self.bundle, case.scenario, case.workload, case.samples_per_query, case.bound_ms

    @property
    def state(self) -> str:
        """`measured`, or why the figures are doubtful or missing."""
        return "; ".join((self._status, *self.row.marks))

    @property
    def warnings(self) -> tuple[str, ...]:
        """Why the figures are doubtful or missing, if they are."""
        return ((self._status,) if self._status != MEASURED else ()) + self.row.marks

    @property
    def _status(self) -> str:
        return f"{self.row.status}: {self.row.reason}" if self.row.reason else self.row.status


@dataclass(frozen=True)
class BenchMatrix:
    """All machines and lines, and the recommendation for each machine and work within the bounds."""

    machines: tuple[MatrixMachine, ...]
    lines: tuple[MatrixLine, ...]
    bounds: Bounds
    recommended: tuple[Recommendation, ...]
    kind: str = KIND
    schema_version: int = 1

    def by_title(self) -> dict[str, list[MatrixLine]]:
        """The lines of each machine and work under their title, in their order."""
        found: dict[str, list[MatrixLine]] = {}
        for line in self.lines:
            found.setdefault(title_of(line), []).append(line)
        return found


def merge(results: Sequence[BenchResult], bounds: Bounds | None = None) -> BenchMatrix:
    """The matrix of results in their order. Raises UserInputError where there are none."""
    if not results:
        raise UserInputError("there are no results to merge", "edgener report results/*.json")
    names = _names(results)
    bundles = _bundles(results)
    lines = [line for each in zip(names, bundles, results, strict=True) for line in _lines(*each)]
    lost = _f1_lost(results, lines)
    lines = [replace(line, f1_lost=lost[number]) for number, line in enumerate(lines)]
    best = {number for group in groups_of(lines) for number in _front(group, lines)}
    lines = [replace(line, front=number in best) for number, line in enumerate(lines)]
    machines = tuple(_machine(*each) for each in zip(names, bundles, results, strict=True))
    asked = bounds or Bounds()
    recommended = tuple(
        recommend(title_of(lines[group[0]]), candidates(group, lines), asked) for group in groups_of(lines)
    )
    return BenchMatrix(machines, tuple(lines), asked, recommended)


def candidates(group: Sequence[int], lines: Sequence[MatrixLine]) -> list[BenchCandidate]:
    """The lines of a group that can be recommended: those that were measured, except PyTorch's."""
    return [candidate for number in group if (candidate := candidate_of(lines[number]))]


def candidate_of(line: MatrixLine) -> BenchCandidate | None:
    """A line as a candidate, or None where it was not measured or is PyTorch's."""
    row, figures = line.row, line.row.figures
    if figures is None or row.case.variant == REFERENCE:
        return None
    threads = f"{row.case.threads} thread{'s' if row.case.threads != 1 else ''}"
    on = "" if row.case.device == "cpu" else f" on {row.case.device}"
    tail = None if SCENARIOS[row.case.scenario].percentile is None else figures.p99_ms
    return BenchCandidate(
        f"{row.case.variant}{on} on {threads}", cost(row), tail, line.f1_lost, _summary(line), bool(row.marks)
    )


def cost(row: BenchRow) -> float:
    """The scenario's figure such that less is better: milliseconds, or the negative of texts per second."""
    value = row.measured.metric.value
    return value if row.measured.unit == "ms" else -value


def title_of(line: MatrixLine) -> str:
    """The name of a line's group: its machine, its bundle and its work."""
    return f"{line.machine}, {line.bundle}, {work_title(line.row.case)}"


def work_title(case: Case) -> str:
    """The name of the work that a case measures."""
    texts = f", {case.samples_per_query} texts per query" if case.samples_per_query != 1 else ""
    bound = f", p99 under {case.bound_ms:g} ms" if case.bound_ms is not None else ""
    return f"{case.scenario}, {case.workload}{texts}{bound}"


def group_numbers(lines: Sequence[MatrixLine]) -> dict[int, int]:
    """The number of its group for each line that was measured, in the order of the recommendations."""
    return {number: place for place, group in enumerate(groups_of(lines)) for number in group}


def _names(results: Sequence[BenchResult]) -> list[str]:
    """The machines' names; a number distinguishes machines, or power modes of one machine, that have the same name."""
    known: dict[str, list[MachineFingerprint]] = {}
    names = []
    for result in results:
        seen = known.setdefault(result.name, [])
        if result.fingerprint not in seen:
            seen.append(result.fingerprint)
        place = seen.index(result.fingerprint)
        names.append(f"{result.name} ({place + 1})" if place else result.name)
    return names


def _bundles(results: Sequence[BenchResult]) -> list[str]:
    """The bundles' names; the start of the hash distinguishes bundles that have the same name."""
    hashes: dict[str, set[str]] = {}
    for result in results:
        hashes.setdefault(result.bundle, set()).add(result.bundle_sha256)
    return [
        result.bundle if len(hashes[result.bundle]) == 1 else f"{result.bundle} {result.bundle_sha256[:8]}"
        for result in results
    ]


def _lines(name: str, bundle: str, result: BenchResult) -> Iterator[MatrixLine]:
    for row in result.rows:
        if row.case.scenario not in SCENARIOS:
            raise UserInputError(f"{name} has a row with the scenario {row.case.scenario!r}", "Update edgener.")
        yield MatrixLine(name, bundle, replace(row, rounds=()))


def _f1_lost(results: Sequence[BenchResult], lines: Sequence[MatrixLine]) -> list[float | None]:
    """For each line how far its F1 is below the reference's on the same texts with the same bundle.

    A line whose texts have no gold labels takes the loss of the same variant on the first texts that have them.
    """
    bundles = [result.bundle_sha256 for result in results for _ in result.rows]
    works = [texts_of(result, row) for result in results for row in result.rows]
    reference: dict[object, tuple[int, float]] = {}
    for bundle, work, line in zip(bundles, works, lines, strict=True):
        if line.row.f1 is not None:
            rank = 2 if line.row.case.variant == REFERENCE else 1 if line.row.precision == "fp32" else 0
            reference[bundle, work] = max(reference.get((bundle, work), (0, 0.0)), (rank, line.row.f1))
    lost: dict[object, float] = {}
    own: list[float | None] = []
    for bundle, work, line in zip(bundles, works, lines, strict=True):
        own.append(None if line.row.f1 is None else reference[bundle, work][1] - line.row.f1)
        if own[-1] is not None:
            lost.setdefault(_variant(bundle, line), own[-1])
    others = (lost.get(_variant(bundle, line)) for bundle, line in zip(bundles, lines, strict=True))
    return [other if found is None else found for found, other in zip(own, others, strict=True)]


def texts_of(result: BenchResult, row: BenchRow) -> str | None:
    """The SHA-256 of the texts that a row was measured on."""
    return next((work.sha256 for work in result.workloads if work.name == row.case.workload), None)


def _variant(bundle: str, line: MatrixLine) -> tuple[str, str, str]:
    """The key of all lines that have the same F1 on the same texts, on any machine and thread count."""
    return bundle, line.row.case.variant, line.row.case.device


def groups_of(lines: Sequence[MatrixLine]) -> list[list[int]]:
    """The numbers of the measured lines that compete with each other, in their order."""
    groups: dict[tuple[object, ...], list[int]] = {}
    for number, line in enumerate(lines):
        if line.row.figures and line.row.status != NOT_RUN:
            groups.setdefault(line.group, []).append(number)
    return list(groups.values())


def _front(group: Sequence[int], lines: Sequence[MatrixLine]) -> list[int]:
    scored = any(lines[number].f1_lost is not None for number in group)
    costs = {}
    for number in group:
        row, lost = lines[number].row, lines[number].f1_lost
        if row.case.variant != REFERENCE and (lost is not None or not scored):
            costs[str(number)] = (cost(row), float(row.size_bytes) if lost is None else lost)
    return [int(number) for number in front(costs)]


def _machine(name: str, bundle: str, result: BenchResult) -> MatrixMachine:
    found = result.fingerprint
    memory = "" if found.memory is None else f"{found.memory / 1e9:.0f} GB"
    power = found.power_mode or found.governor or ""
    parts = (found.board or found.cpu, found.isa, f"{found.cores} cores", memory, *found.gpus, power, found.os)
    return MatrixMachine(
        name, ", ".join(part for part in parts if part), bundle, result.started, result.seconds, result.notes,
        result.partial,
    )  # fmt: skip


def _summary(line: MatrixLine) -> str:
    """The figures that a recommendation names."""
    row, figures = line.row, line.row.measured
    parts = [f"p99 {_with_ends(figures.p99_ms)} ms"] if SCENARIOS[row.case.scenario].percentile is not None else []
    parts += [f"{figures.texts_per_second.value:,.0f} texts/s"]
    parts += [] if row.f1 is None else [f"F1 {row.f1:.4f}"]
    return ", ".join([*parts, f"{row.size_bytes / 1e6:.1f} MB"])


def _with_ends(found: Interval) -> str:
    return f"{found.value:.2f} ({found.low:.2f} to {found.high:.2f})"

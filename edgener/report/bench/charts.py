"""The charts of a matrix: one per kind of work, with a mark per variant and machine, the most informative first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from edgener.report.canvas import xml_text
from edgener.report.html import DrawnPicture, embedded
from edgener_runtime.commissioning.bench.drivers.scenarios import SCENARIOS
from edgener_runtime.commissioning.bench.results.record import BenchResult

from .matrix import MatrixLine, candidate_of, cost, texts_of, work_title
from .pictures import OWN, ChartEntry, draw_front
from .recommend import BenchCandidate


@dataclass(frozen=True)
class WorkRows:
    """The rows of one kind of work on every machine: their numbers in the matrix, and the rows."""

    numbers: tuple[int, ...]
    lines: tuple[MatrixLine, ...]

    @property
    def title(self) -> str:
        """The name of the work."""
        return work_title(self.lines[0].row.case)

    @property
    def _order(self) -> tuple[int, bool, int, int]:
        """Latency before throughput, texts with gold labels first, then the work with most machines and rows."""
        machines = {line.machine for line in self.lines}
        unscored = all(line.row.f1 is None for line in self.lines)
        return list(SCENARIOS).index(self.lines[0].row.case.scenario), unscored, -len(machines), -len(self.lines)

    def series(self, line: MatrixLine) -> str:
        """The machine of a line, with its bundle where there are several; empty where all lines have the same."""
        machines, bundles = ({getattr(each, name) for each in self.lines} for name in ("machine", "bundle"))
        parts = (line.machine,) * (len(machines) > 1) + (line.bundle,) * (len(bundles) > 1)
        return ", ".join(parts)

    def candidates(self) -> dict[int, BenchCandidate]:
        """Each row as a candidate among all machines, by its number."""
        found = {}
        for number, line in zip(self.numbers, self.lines, strict=True):
            if candidate := candidate_of(line):
                series = self.series(line)
                found[number] = replace(candidate, name=f"{candidate.name} of {series}" if series else candidate.name)
        return found


def work_rows(lines: Sequence[MatrixLine], results: Sequence[BenchResult]) -> list[WorkRows]:
    """The measured rows by kind of work, the most informative first; `results` are the matrix's."""
    texts = [texts_of(result, row) for result in results for row in result.rows]
    groups: dict[object, list[int]] = {}
    for number, (line, sha256) in enumerate(zip(lines, texts, strict=True)):
        if candidate_of(line):
            case = line.row.case
            key = (case.scenario, case.workload, sha256, case.samples_per_query, case.bound_ms)
            groups.setdefault(key, []).append(number)
    found = [WorkRows(tuple(numbers), tuple(lines[number] for number in numbers)) for numbers in groups.values()]
    return sorted(found, key=lambda rows: rows._order)


def charts(works: Sequence[WorkRows]) -> Iterator[tuple[str, DrawnPicture]]:
    """The chart of each kind of work under its title."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        for number, work in enumerate(works):
            axis = OWN[work.lines[0].row.case.scenario]
            picture = draw_front(axis, _entries(work), folder, f"front-{number}")
            yield from ((work.title, drawn) for drawn in embedded([picture], folder))


def _entries(work: WorkRows) -> list[ChartEntry]:
    """A mark per variant and machine: of several thread counts the best."""
    several = len({line.row.case.device for line in work.lines}) > 1
    best: dict[tuple[str, str], MatrixLine] = {}
    for line in work.lines:
        case = line.row.case
        name = f"{case.variant} on {case.device}" if several else case.variant
        key = (xml_text(name), xml_text(work.series(line)))
        if key not in best or cost(line.row) < cost(best[key].row):
            best[key] = line
    return [ChartEntry(name, line.row, None, series) for (name, series), line in best.items()]

"""The benchmark: all targets in turns, round after round in fresh processes, until all is precise or time is up."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from edgener_runtime import __version__
from edgener_runtime.base.files import sha256_of
from edgener_runtime.bundle.manifest import MANIFEST, Manifest
from edgener_runtime.bundle.verify import verify_bundle
from edgener_runtime.commissioning.bench.drivers.choose import pick_driver
from edgener_runtime.commissioning.bench.metering.fingerprint import fingerprint
from edgener_runtime.commissioning.bench.metering.isolation import machine_notes
from edgener_runtime.commissioning.bench.results.record import BUDGET, INTERRUPTED, BenchResult
from edgener_runtime.text.tokenize import TextTokenizer

from .cases import CaseState
from .plan import BenchTarget, cases_of, require_any, require_distinct, targets_of
from .spec import Spec
from .time_budget import Shares, TimeBudget
from .turn import Turn
from .workloads import WorkloadTexts, make_workloads, write_workloads

HERE = Path("/")
Files = tuple[Path, Path | None]


@dataclass(frozen=True)
class Step:
    """Progress of a benchmark: the target and its round, the rows still open, and the seconds since the start."""

    round: int
    target: BenchTarget
    open_rows: int
    rows: int
    seconds: float


def ignore(step: object) -> None:
    """Run without reporting progress."""


def run(
    spec: Spec,
    report: Callable[[Step], None] = ignore,
    keep: Callable[[BenchResult], None] = ignore,
    more: Sequence[BenchTarget] = (),
) -> BenchResult:
    """Measure what a spec asks for, and in the same turns `more` targets.

    `report` is called before each turn of a target, `keep` at the start and after each turn with the result so far,
    marked partial. Ctrl-C ends it with a partial result. Raises UserInputError, BundleError, ProviderError if nothing
    can run here, and what `keep` raises.
    """
    manifest = verify_bundle(Path(spec.bundle))
    workloads = make_workloads(spec, TextTokenizer(Path(spec.bundle) / manifest.tokenizer.file, manifest.tokenizer))
    require_distinct(workloads)
    targets = [*targets_of(spec, manifest), *more]
    require_any(targets)
    return BenchRun(spec, manifest, workloads, targets).run(report, keep)


class BenchRun:
    """A spec, and the state of its cases."""

    def __init__(
        self, spec: Spec, manifest: Manifest, workloads: Sequence[WorkloadTexts], targets: Sequence[BenchTarget]
    ) -> None:
        self._spec = spec
        self._manifest = manifest
        self._workloads = workloads
        self._driver, _ = pick_driver(spec.driver)
        numbers = {workload.name: number for number, workload in enumerate(workloads)}
        self._entries = [
            CaseState(case, target, numbers[case.workload], target.why_not)
            for target in targets
            for case in cases_of(spec, target, workloads)
        ]
        self._fingerprint = fingerprint(HERE)
        self._notes = machine_notes(HERE)
        self._started = datetime.now(timezone.utc).isoformat(timespec="seconds")
        self._start = time.monotonic()

    def run(self, report: Callable[[Step], None], keep: Callable[[BenchResult], None]) -> BenchResult:
        """Run all rounds; after Ctrl-C the result has what was measured before."""
        keep(self._result(INTERRUPTED))
        with tempfile.TemporaryDirectory(prefix="edgener-bench-") as folder:
            files = write_workloads(self._workloads, Path(folder))
            try:
                self._rounds(files, report, keep)
            except KeyboardInterrupt:
                return self._result(INTERRUPTED)
        return self._result(BUDGET)

    def _rounds(self, files: Files, report: Callable[[Step], None], keep: Callable[[BenchResult], None]) -> None:
        time_budget, number = TimeBudget(), 0
        while (targets := self._open_targets()) and time_budget.begin_round(number, self._left, _shares(targets)):
            for target in reversed(targets) if number % 2 else targets:
                rows = sum(map(len, targets.values()))
                report(Step(number + 1, target, rows, len(self._entries), time.monotonic() - self._start))
                Turn(target, targets[target], self._spec.within, time_budget).run(self._driver, *files, number)
                keep(self._result(INTERRUPTED))
            number += 1

    @property
    def _left(self) -> float:
        return self._spec.seconds - (time.monotonic() - self._start)

    def _open_targets(self) -> dict[BenchTarget, list[CaseState]]:
        targets: dict[BenchTarget, list[CaseState]] = {}
        for entry in self._entries:
            if entry.is_open:
                targets.setdefault(entry.target, []).append(entry)
        return targets

    def _result(self, ended_by: str) -> BenchResult:
        rows = tuple(entry.row(ended_by) for entry in self._entries)
        return BenchResult(
            self._spec.name or self._fingerprint.board or self._fingerprint.cpu,
            __version__,
            self._manifest.name,
            sha256_of(Path(self._spec.bundle) / MANIFEST),
            self._started,
            time.monotonic() - self._start,
            self._driver,
            self._fingerprint,
            tuple(workload.record() for workload in self._workloads),
            rows,
            self._notes,
            partial=any(row.ended_by == INTERRUPTED for row in rows),
        )


def _shares(targets: Mapping[BenchTarget, Sequence[CaseState]]) -> Shares:
    return {target: {entry.case: entry.slices for entry in entries} for target, entries in targets.items()}

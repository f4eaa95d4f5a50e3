"""The state of each case while the benchmark runs, and the row of the result that it becomes."""

from __future__ import annotations

from dataclasses import dataclass, field

from edgener_runtime.commissioning.bench.drivers.rate import TRIALS
from edgener_runtime.commissioning.bench.drivers.scenarios import SCENARIOS
from edgener_runtime.commissioning.bench.metering.isolation import marks
from edgener_runtime.commissioning.bench.results.record import (
    BUDGET,
    FAILED,
    INTERRUPTED,
    MEASURED,
    NOT_RUN,
    PARTIAL,
    PRECISE,
    BenchFigures,
    BenchRow,
    Case,
    Interval,
    Round,
)
from edgener_runtime.commissioning.bench.results.statistics import LEAST_ROUNDS, figures, precise

from .plan import BenchTarget

WATCHED = {"single-stream": "p50_ms", "multi-stream": "p50_ms", "offline": "texts_per_second", "server": "metric"}
"""For each scenario the figure whose interval decides when to stop: a median, or a rate."""


@dataclass
class CaseState:
    """A case, its target and its rounds so far; `why_not` is the reason why it will not run again."""

    case: Case
    target: BenchTarget
    workload: int
    why_not: str = ""
    provider: str | None = None
    library: str | None = None
    energy: str = "not measurable here"
    f1: float | None = None
    rounds: list[Round] = field(default_factory=list)
    figures: BenchFigures | None = None
    is_precise: bool = False

    @property
    def slices(self) -> int:
        """The slices of time in a round of it: a search has several trials."""
        return TRIALS if self.case.scenario == "server" else 1

    @property
    def is_open(self) -> bool:
        """Whether another round would add information."""
        return not (self.why_not or self.is_precise)

    def add(self, measured: Round, within: float) -> None:
        """Add a round, and check whether the case is precise now."""
        self.rounds.append(measured)
        self.figures = figures(SCENARIOS[self.case.scenario], self.rounds)
        if len(self.rounds) >= LEAST_ROUNDS:
            self.is_precise = precise(watched(self.case.scenario, self.figures), within)

    def row(self, ended_by: str) -> BenchRow:
        """Its row of the result; `ended_by` applies unless the case ended before."""
        ended_by = FAILED if self.why_not else PRECISE if self.is_precise else ended_by
        status = NOT_RUN if not self.rounds else PARTIAL if ended_by in (FAILED, INTERRUPTED) else MEASURED
        return BenchRow(
            self.case, self.target.precision, self.provider, self.library, self.target.sha256, self.target.size_bytes,
            status, ended_by, self.why_not or _REASONS[ended_by], marks(self.rounds) if self.rounds else (),
            self.figures, self.f1, self.energy, tuple(self.rounds),
        )  # fmt: skip


_REASONS = {PRECISE: "", BUDGET: "", INTERRUPTED: "the benchmark was interrupted", FAILED: ""}


def watched(scenario: str, found: BenchFigures) -> Interval:
    """The interval that decides whether a case of this scenario is precise."""
    interval: Interval = getattr(found, WATCHED[scenario])
    return interval

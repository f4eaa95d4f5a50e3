"""What is known of each case while the bench runs, and the row that it comes to."""

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
    Case,
    Figures,
    Interval,
    Round,
    Row,
)
from edgener_runtime.commissioning.bench.results.statistics import LEAST_ROUNDS, figures, precise

from .plan import Place

WATCHED = {"single-stream": "p50_ms", "multi-stream": "p50_ms", "offline": "texts_per_second", "server": "metric"}
"""Scenario to the figure whose interval says when enough was measured: medians, and rates."""


@dataclass
class Entry:
    """A case, where it runs, and what came of it so far; `why_not` says why it will run no more."""

    case: Case
    place: Place
    work: int
    why_not: str = ""
    provider: str | None = None
    library: str | None = None
    energy: str = "not measurable here"
    f1: float | None = None
    rounds: list[Round] = field(default_factory=list)
    figures: Figures | None = None
    is_precise: bool = False

    @property
    def slices(self) -> int:
        """How many a round of it takes: a search has several trials."""
        return TRIALS if self.case.scenario == "server" else 1

    @property
    def is_open(self) -> bool:
        """Whether another round would tell more."""
        return not (self.why_not or self.is_precise)

    def add(self, made: Round, within: float) -> None:
        """Take a round, and see whether it was the last that was needed."""
        self.rounds.append(made)
        self.figures = figures(SCENARIOS[self.case.scenario], self.rounds)
        if len(self.rounds) >= LEAST_ROUNDS:
            self.is_precise = precise(watched(self.case.scenario, self.figures), within)

    def row(self, ended_by: str) -> Row:
        """What a result says of it, where it was ended by this unless it ended before."""
        ended_by = FAILED if self.why_not else PRECISE if self.is_precise else ended_by
        status = NOT_RUN if not self.rounds else PARTIAL if ended_by in (FAILED, INTERRUPTED) else MEASURED
        return Row(
            self.case, self.place.precision, self.provider, self.library, self.place.sha256, self.place.size_bytes,
            status, ended_by, self.why_not or _REASONS[ended_by], marks(self.rounds) if self.rounds else (),
            self.figures, self.f1, self.energy, tuple(self.rounds),
        )  # fmt: skip


_REASONS = {PRECISE: "", BUDGET: "", INTERRUPTED: "the bench was broken off", FAILED: ""}


def watched(scenario: str, found: Figures) -> Interval:
    """The figure of a scenario that is to become precise."""
    interval: Interval = getattr(found, WATCHED[scenario])
    return interval

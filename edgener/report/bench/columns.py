"""The columns of a matrix of benches: what a cell says of a line, and what lines are sorted by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edgener_runtime.commissioning.bench.drivers.scenarios import SCENARIOS
from edgener_runtime.commissioning.bench.results.record import BenchFigures, Interval

from .matrix import Line

NOTHING = "-"


@dataclass(frozen=True)
class Column:
    """A title, the number it shows of a line (None where there is none) and how; or a text."""

    title: str
    number: Callable[[Line], float | None] | None = None
    form: str = "{}"
    text: Callable[[Line], str] | None = None

    def cell(self, line: Line) -> str:
        """What people read."""
        if self.text:
            return self.text(line)
        value = self.value(line)
        return NOTHING if value is None else self.form.format(value)

    def value(self, line: Line) -> float | None:
        """What it is sorted by; None for texts, and where there is nothing."""
        return self.number(line) if self.number else None


def _of(read: Callable[[BenchFigures], float | None]) -> Callable[[Line], float | None]:
    return lambda line: read(line.row.figures) if line.row.figures else None


def _latency(read: Callable[[BenchFigures], Interval]) -> Callable[[Line], float | None]:
    """None where all texts are one query, whose latency says how many they were."""

    def value(line: Line) -> float | None:
        one_query = SCENARIOS[line.row.case.scenario].percentile is None
        return read(line.row.figures).value if line.row.figures and not one_query else None

    return value


def _metric(line: Line) -> str:
    """The scenario's own figure with the ends of its interval."""
    figures = line.row.figures
    return f"{_interval(figures.metric)} {figures.unit}" if figures else NOTHING


def _interval(found: Interval) -> str:
    form = "{:,.0f}" if found.value >= 1000 else "{:.2f}"
    value, low, high = (form.format(end) for end in (found.value, found.low, found.high))
    return f"{value} ({low} to {high})"


def _work(line: Line) -> str:
    case = line.row.case
    texts = f", {case.samples_per_query} a query" if case.samples_per_query != 1 else ""
    return f"{case.workload}{texts}" + (f", p99 under {case.bound_ms:g} ms" if case.bound_ms is not None else "")


_METRIC = Column("figure", _of(lambda figures: figures.metric.value), text=_metric)
_F1 = Column("F1", lambda line: line.row.f1, "{:.4f}")
_MB = Column("MB", lambda line: line.row.size_bytes / 1e6, "{:.1f}")
_FRONT = Column("front", text=lambda line: "yes" if line.front else "")
_STATE = Column("state", text=lambda line: line.state)
_PLACE = (
    Column("machine", text=lambda line: line.machine),
    Column("variant", text=lambda line: line.row.case.variant),
    Column("device", text=lambda line: line.row.case.device),
    Column("threads", lambda line: float(line.row.case.threads), "{:.0f}"),
    Column("scenario", text=lambda line: line.row.case.scenario),
    Column("texts", text=_work),
)
# A terminal and a Markdown page show fewer.
SHORT = (*_PLACE, _METRIC, _F1, _MB, _FRONT, _STATE)
COLUMNS = (
    *_PLACE,
    _METRIC,
    Column("p50 ms", _latency(lambda figures: figures.p50_ms), "{:.2f}"),
    Column("p90 ms", _latency(lambda figures: figures.p90_ms), "{:.2f}"),
    Column("p99 ms", _latency(lambda figures: figures.p99_ms), "{:.2f}"),
    Column("texts/s", _of(lambda figures: figures.texts_per_second.value), "{:,.1f}"),
    _F1,
    Column("F1 lost", lambda line: line.f1_lost, "{:+.4f}"),
    _MB,
    Column("RSS MB", _of(lambda figures: figures.steady_rss_mb), "{:.0f}"),
    Column("CPU s / 1,000", _of(lambda figures: figures.cpu_seconds_per_1000), "{:.2f}"),
    Column("J / 1,000", _of(lambda figures: figures.joules_per_1000), "{:.1f}"),
    Column("load s", _of(lambda figures: figures.load_seconds), "{:.2f}"),
    Column("bundle", text=lambda line: line.bundle),
    _FRONT,
    _STATE,
)

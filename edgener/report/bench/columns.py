"""The columns of a matrix of benchmark results: the text of a line's cell, and the number that lines are sorted by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edgener_runtime.commissioning.bench.drivers.scenarios import SCENARIOS
from edgener_runtime.commissioning.bench.results.record import BenchFigures, Interval

from .matrix import MatrixLine

NOTHING = "-"


@dataclass(frozen=True)
class MatrixColumn:
    """A title, and the number of a line that it shows (None where there is none) in a format; or a text.

    A page shows what is not `chosen` where its switch is on; `words` can be broken anywhere, as names can be long.
    """

    title: str
    number: Callable[[MatrixLine], float | None] | None = None
    pattern: str = "{}"
    text: Callable[[MatrixLine], str] | None = None
    chosen: bool = True
    words: bool = False

    def cell(self, line: MatrixLine) -> str:
        """The text of a cell."""
        if self.text:
            return self.text(line)
        value = self.value(line)
        return NOTHING if value is None else self.pattern.format(value)

    def value(self, line: MatrixLine) -> float | None:
        """The number that it is sorted by; None for texts, and where there is none."""
        return self.number(line) if self.number else None


def _of(read: Callable[[BenchFigures], float | None]) -> Callable[[MatrixLine], float | None]:
    return lambda line: read(line.row.figures) if line.row.figures else None


def _latency(read: Callable[[BenchFigures], Interval]) -> Callable[[MatrixLine], float | None]:
    """None where all texts are one query, whose latency depends on how many they are."""

    def value(line: MatrixLine) -> float | None:
        one_query = SCENARIOS[line.row.case.scenario].percentile is None
        return read(line.row.figures).value if line.row.figures and not one_query else None

    return value


def _metric(line: MatrixLine) -> str:
    """The scenario's own figure with the ends of its interval."""
    if not (figures := line.row.figures):
        return NOTHING
    value, ends = _interval(figures.metric)
    return f"{value} ({ends}) {figures.unit}"


def _stacked(line: MatrixLine) -> str:
    """The same with the ends of its interval below it."""
    if not (figures := line.row.figures):
        return line.row.status
    value, ends = _interval(figures.metric)
    return f"{value} {figures.unit}\n{ends}"


def _interval(found: Interval) -> tuple[str, str]:
    """A figure, and the ends of its interval."""
    pattern = "{:,.0f}" if found.value >= 1000 else "{:.2f}"
    value, low, high = (pattern.format(end) for end in (found.value, found.low, found.high))
    return value, f"{low} to {high}"


def _work(line: MatrixLine) -> str:
    case = line.row.case
    texts = f", {case.samples_per_query} per query" if case.samples_per_query != 1 else ""
    return f"{case.workload}{texts}" + (f", p99 under {case.bound_ms:g} ms" if case.bound_ms is not None else "")


def _text(title: str, read: Callable[[MatrixLine], str], chosen: bool = True) -> MatrixColumn:
    return MatrixColumn(title, text=read, chosen=chosen, words=True)


def _more(title: str, number: Callable[[MatrixLine], float | None], pattern: str) -> MatrixColumn:
    """A column that a page shows where its switch is on."""
    return MatrixColumn(title, number, pattern, chosen=False)


FIGURE = MatrixColumn("figure", _of(lambda figures: figures.metric.value), text=_metric)
_F1 = MatrixColumn("F1", lambda line: line.row.f1, "{:.4f}")
_MB = MatrixColumn("MB", lambda line: line.row.size_bytes / 1e6, "{:.1f}")
PARETO = MatrixColumn("Pareto", text=lambda line: "yes" if line.front else "")
_STATE = _text("state", lambda line: line.state, chosen=False)
_CASE = (
    _text("machine", lambda line: line.machine),
    _text("variant", lambda line: line.row.case.variant),
    MatrixColumn("device", text=lambda line: line.row.case.device),
    MatrixColumn("threads", lambda line: float(line.row.case.threads), "{:.0f}"),
    MatrixColumn("scenario", text=lambda line: line.row.case.scenario),
    _text("texts", _work),
)
SHORT = (*_CASE, FIGURE, _F1, _MB, PARETO, _STATE)  # of a Markdown page
NARROW = (*_CASE[1:4], MatrixColumn("figure", text=_stacked), _F1, _MB, PARETO)
COLUMNS = (
    *_CASE,
    FIGURE,
    _more("p50 ms", _latency(lambda figures: figures.p50_ms), "{:.2f}"),
    _more("p90 ms", _latency(lambda figures: figures.p90_ms), "{:.2f}"),
    MatrixColumn("p99 ms", _latency(lambda figures: figures.p99_ms), "{:.2f}"),
    _more("texts/s", _of(lambda figures: figures.texts_per_second.value), "{:,.1f}"),
    _F1,
    _more("F1 lost", lambda line: line.f1_lost, "{:+.4f}"),
    _MB,
    PARETO,
    _more("RSS MB", _of(lambda figures: figures.steady_rss_mb), "{:.0f}"),
    _more("CPU s / 1,000", _of(lambda figures: figures.cpu_seconds_per_1000), "{:.2f}"),
    _more("J / 1,000", _of(lambda figures: figures.joules_per_1000), "{:.1f}"),
    _more("load s", _of(lambda figures: figures.load_seconds), "{:.2f}"),
    _text("bundle", lambda line: line.bundle, chosen=False),
    _STATE,
)

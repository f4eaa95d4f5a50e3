"""Pictures of benchmark results: a figure against F1, latency against length and as a distribution, and energy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgener.compare.match import describe
from edgener.parity.bootstrap import Estimate
from edgener.report.canvas import INK, figure, label_text, logarithmic, looks, xml_text
from edgener.report.pictures import LEAST_F1, WIDE, WIDTH, Picture
from edgener.report.tradeoff import Plane, Point, draw_tradeoff, front_text, pareto_front
from edgener_runtime.commissioning.bench.results.record import BenchFigures, BenchRow, Interval, Workload

ALONE, TOGETHER = "single-stream", "offline"
_LINES = ("-", "--", ":", "-.")
_MOST = 24  # lines of one picture; more cannot be distinguished


@dataclass(frozen=True)
class ChartEntry:
    """A measured row under its name in pictures, the series that it belongs to, and the work it was measured on."""

    name: str
    row: BenchRow
    work: Workload | None
    series: str = ""

    @property
    def figures(self) -> BenchFigures:
        """Its figures; only measured rows are entries."""
        return self.row.measured

    @property
    def full_name(self) -> str:
        """Its name with that of its series."""
        return f"{self.series}: {self.name}" if self.series else self.name


@dataclass(frozen=True)
class ChartAxis:
    """A figure of rows along the x axis."""

    title: str
    label: str
    read: Callable[[BenchFigures], Interval]
    less: bool


def _metric(figures: BenchFigures) -> Interval:
    return figures.metric


# The scenario's own figure, which Pareto fronts and recommendations are by.
OWN = {
    ALONE: ChartAxis("Latency", "p90 of the latency in ms, one text at a time", _metric, less=True),
    "multi-stream": ChartAxis("Latency", "p99 of the latency in ms, several texts at a time", _metric, less=True),
    TOGETHER: ChartAxis("Throughput", "texts per second, all in one query", _metric, less=False),
    "server": ChartAxis("Throughput", "texts per second at which p99 keeps its bound", _metric, less=False),
}
# The figures that comparisons are by.
_COMPARED = {
    ALONE: ChartAxis("Latency", "p50 in ms, one text at a time", lambda figures: figures.p50_ms, less=True),
    TOGETHER: ChartAxis("Throughput", "texts per second", lambda figures: figures.texts_per_second, less=False),
}


def draw_fronts(entries: Sequence[ChartEntry], folder: Path) -> list[Picture]:
    """Latency and throughput against entity F1, or against size where no text had gold labels."""
    drawn = []
    for scenario, axis in _COMPARED.items():
        found = [entry for entry in entries if entry.row.case.scenario == scenario]
        drawn.append(draw_front(axis, found, folder, f"front-{axis.title.lower()}"))
    return [picture for picture in drawn if picture]


def draw_front(axis: ChartAxis, entries: Sequence[ChartEntry], folder: Path, name: str) -> Picture | None:
    """A figure against entity F1, or against size where no entry has an F1; None without an entry."""
    scored = any(entry.row.f1 is not None for entry in entries)
    shown = [entry for entry in entries if entry.row.f1 is not None or not scored]
    if not shown:
        return None
    label = "entity F1" if scored else "size in MB (no gold labels, so no F1)"
    plane = Plane(axis.label, label, axis.less, less_y=not scored, least_y=LEAST_F1 if scored else 0.0)
    points = [_point(axis, entry, scored) for entry in shown]
    left_out = ", ".join(entry.full_name for entry in entries if entry not in shown)
    text = f"{plane.direction} {front_text(pareto_front(plane, points))} Bars are 95\u00a0% intervals."
    text += f" Not shown, as their F1 is not known: {left_out}." if left_out else ""
    picture = Picture(name, f"{axis.title} against {'entity F1' if scored else 'size'}", text)
    with figure(WIDE, 3.7, *picture.files(folder)) as drawn:
        draw_tradeoff(drawn, plane, points)
    return picture


def _point(axis: ChartAxis, entry: ChartEntry, scored: bool) -> Point:
    x, row = axis.read(entry.figures), entry.row
    y = row.f1 if scored and row.f1 is not None else row.size_bytes / 1e6
    return Point(entry.name, Estimate(x.value, x.low, x.high), Estimate(y, y, y), row.size_bytes, entry.series)


def draw_lengths(entries: Sequence[ChartEntry], folder: Path) -> Picture | None:
    """Latency of one text by its length, a line for each case that ran on several works; None where none did."""
    lines: dict[str, list[tuple[float, Interval]]] = {}
    for entry in entries:
        if entry.row.case.scenario == ALONE and entry.work and entry.work.texts:
            length = entry.work.subwords / entry.work.texts
            lines.setdefault(_without_work(entry), []).append((length, entry.figures.p50_ms))
    lines = {name: sorted(points, key=lambda point: point[0]) for name, points in lines.items() if len(points) > 1}
    if not lines:
        return None
    picture = Picture("latency-length", "Latency against length", "The median latency of one text, by its length.")
    with figure(WIDTH, 3.2 + 0.18 * len(lines), *picture.files(folder)) as drawn:
        axes = drawn.subplots()
        for name, style in _styles(list(lines)).items():
            lengths, medians = zip(*lines[name], strict=True)
            axes.plot(lengths, [median.value for median in medians], marker="o", ms=4, **style)
        axes.set(xlabel="subwords per text", ylabel="p50 in ms")
        logarithmic(axes, "x", "y")
        axes.grid(lw=0.5)
        _legend(drawn)
    return picture


def draw_distribution(entries: Sequence[ChartEntry], folder: Path) -> Picture | None:
    """The share of queries that were answered within a time, over all rounds; None without samples."""
    import numpy as np

    from edgener_runtime.commissioning.bench.results.samples import unpack

    samples = {}
    for entry in entries:
        if entry.row.case.scenario == ALONE and entry.row.rounds:
            samples[entry.full_name] = np.sort(np.concatenate([unpack(found.samples) for found in entry.row.rounds]))
    samples = {name: times for name, times in samples.items() if len(times)}
    if not samples:
        return None
    text = "The share of texts that were answered within a time, one at a time, over all rounds. Left is better."
    picture = Picture("distribution", "Distribution of latency", text)
    with figure(WIDTH, 3.2 + 0.18 * len(samples), *picture.files(folder)) as drawn:
        axes = drawn.subplots()
        for name, style in _styles(list(samples)).items():
            share = np.linspace(0, 1, min(len(samples[name]), 400))
            axes.plot(np.quantile(samples[name], share), share, **style)
        axes.set(xlabel="milliseconds", ylabel="share of the queries", ylim=(0, 1))
        logarithmic(axes, "x")
        axes.grid(lw=0.5)
        _legend(drawn)
    return picture


def draw_energy(entries: Sequence[ChartEntry], folder: Path) -> Picture | None:
    """Joules per 1,000 texts, or None where nothing measured them."""
    found = {_described(entry): entry for entry in entries if entry.figures.joules_per_1000 is not None}
    if not found:
        return None
    sources = ", ".join(dict.fromkeys(entry.row.energy for entry in found.values()))
    picture = Picture("energy", "Energy", f"Joules per 1,000 texts, measured by {sources}.")
    with figure(WIDTH, 1.2 + 0.3 * len(found), *picture.files(folder)) as drawn:
        axes = drawn.subplots()
        for place, (name, entry) in enumerate(found.items()):
            axes.barh(place, entry.figures.joules_per_1000, 0.7, color=looks(list(found))[name][0])
        axes.set_yticks(range(len(found)), [label_text(name) for name in found])
        axes.set(xlabel="joules per 1,000 texts", ylim=(len(found) - 0.5, -0.5))
        axes.grid(axis="x", lw=0.5)
    return picture


def _described(entry: ChartEntry) -> str:
    case = xml_text(describe(entry.row.case))
    return f"{entry.series}: {case}" if entry.series else case


def _without_work(entry: ChartEntry) -> str:
    return entry.full_name.removesuffix(f", {entry.row.case.workload}")


def _styles(names: Sequence[str]) -> Mapping[str, dict[str, Any]]:
    """How each line looks: a colour, and another dash once the colours are used up."""
    colours = looks(names)
    return {
        name: {"color": colours[name][0], "ls": _LINES[i // 8 % len(_LINES)], "label": name}
        for i, name in enumerate(names[:_MOST])
    }


def _legend(drawn: Any) -> None:
    drawn.legend(loc="outside lower center", ncols=1, frameon=False, fontsize=8, labelcolor=INK)

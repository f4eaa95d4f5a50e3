"""Pictures of what a bench measured: latency against F1, against length and as a distribution, and energy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgener.parity.bootstrap import Estimate
from edgener.report.canvas import INK, figure, label_text, looks
from edgener.report.pareto import front
from edgener.report.pictures import FRONT, WIDTH, Picture, Point, draw_points
from edgener_runtime.bundle.manifest import Spread
from edgener_runtime.commissioning.bench.results.record import BenchFigures, BenchRow, Interval, Workload

ALONE, TOGETHER = "single-stream", "offline"
_LINES = ("-", "--", ":", "-.")
_MOST = 24  # lines of one picture; more than that nobody tells apart


@dataclass(frozen=True)
class Entry:
    """A measured row under the name that pictures give it, with the work it was measured on."""

    name: str
    row: BenchRow
    work: Workload | None

    @property
    def figures(self) -> BenchFigures:
        """Its figures; only measured rows are entries."""
        assert self.row.figures is not None
        return self.row.figures


@dataclass(frozen=True)
class _Plane:
    """A figure along the x axis, against F1 or size."""

    title: str
    scenario: str
    label: str
    x: Callable[[BenchFigures], Interval]
    sign: int  # 1 where a smaller x is better


_PLANES = (
    _Plane("Latency", ALONE, "p50 in ms, a text alone", lambda figures: figures.p50_ms, 1),
    _Plane("Throughput", TOGETHER, "texts a second", lambda figures: figures.texts_per_second, -1),
)


def draw_fronts(entries: Sequence[Entry], folder: Path, stem: str = "front") -> list[Picture]:
    """Latency and throughput against entity F1, or against size where no text had gold labels."""
    drawn = (_draw_front(plane, entries, folder, f"{stem}-{plane.title.lower()}") for plane in _PLANES)
    return [picture for picture in drawn if picture]


def _draw_front(plane: _Plane, entries: Sequence[Entry], folder: Path, name: str) -> Picture | None:
    found = [entry for entry in entries if entry.row.case.scenario == plane.scenario]
    scored = any(entry.row.f1 is not None for entry in found)
    points = {entry.name: _point(plane, entry, scored) for entry in found if entry.row.f1 is not None or not scored}
    if not points:
        return None
    up = -1 if scored else 1
    best = front({name: (plane.sign * point.x.median, up * point.y.value) for name, point in points.items()})
    against = "entity F1" if scored else "size"
    text = f"{FRONT} {', '.join(best)}. The area is the size of the file; bars are 95 % intervals."
    picture = Picture(name, f"{plane.title} against {against}", text)
    with figure(WIDTH, 3.4 + 0.18 * len(points), *picture.files(folder)) as drawn:
        axes = draw_points(drawn, points, best)
        axes.set(xlabel=plane.label, ylabel=against if scored else "MB")
        _legend(drawn)
    return picture


def _point(plane: _Plane, entry: Entry, scored: bool) -> Point:
    x, row = plane.x(entry.figures), entry.row
    y = row.f1 if scored and row.f1 is not None else row.size_bytes / 1e6
    return Point(Spread(x.value, x.low, x.high), Estimate(y, y, y), row.size_bytes)


def draw_lengths(entries: Sequence[Entry], folder: Path) -> Picture | None:
    """Latency of a text alone by its length, a line for what was run on several works; None where nothing was."""
    lines: dict[str, list[tuple[float, Interval]]] = {}
    for entry in entries:
        if entry.row.case.scenario == ALONE and entry.work and entry.work.texts:
            length = entry.work.subwords / entry.work.texts
            lines.setdefault(_without_work(entry), []).append((length, entry.figures.p50_ms))
    lines = {name: sorted(points, key=lambda point: point[0]) for name, points in lines.items() if len(points) > 1}
    if not lines:
        return None
    picture = Picture("latency-length", "Latency against length", "The median latency of a text alone, by its length.")
    with figure(WIDTH, 3.2 + 0.18 * len(lines), *picture.files(folder)) as drawn:
        axes = drawn.subplots()
        for name, style in _styles(list(lines)).items():
            lengths, medians = zip(*lines[name], strict=True)
            axes.plot(lengths, [median.value for median in medians], marker="o", ms=4, **style)
        axes.set(xlabel="subwords a text", ylabel="p50 in ms", xscale="log", yscale="log")
        axes.grid(lw=0.5)
        _legend(drawn)
    return picture


def draw_distribution(entries: Sequence[Entry], folder: Path) -> Picture | None:
    """The share of queries that were answered within a time, of all rounds together; None without samples."""
    import numpy as np

    from edgener_runtime.commissioning.bench.results.samples import unpack

    samples = {}
    for entry in entries:
        if entry.row.case.scenario == ALONE and entry.row.rounds:
            samples[entry.name] = np.sort(np.concatenate([unpack(found.samples) for found in entry.row.rounds]))
    samples = {name: times for name, times in samples.items() if len(times)}
    if not samples:
        return None
    text = "The share of texts that were answered within a time, alone, in all rounds. Left is better."
    picture = Picture("distribution", "Distribution of latency", text)
    with figure(WIDTH, 3.2 + 0.18 * len(samples), *picture.files(folder)) as drawn:
        axes = drawn.subplots()
        for name, style in _styles(list(samples)).items():
            share = np.linspace(0, 1, min(len(samples[name]), 400))
            axes.plot(np.quantile(samples[name], share), share, **style)
        axes.set(xlabel="milliseconds", ylabel="share of the queries", xscale="log", ylim=(0, 1))
        axes.grid(lw=0.5)
        _legend(drawn)
    return picture


def draw_energy(entries: Sequence[Entry], folder: Path) -> Picture | None:
    """Joules for 1,000 texts, or None where nothing measured them."""
    found = {entry.name: entry for entry in entries if entry.figures.joules_per_1000 is not None}
    if not found:
        return None
    sources = ", ".join(dict.fromkeys(entry.row.energy for entry in found.values()))
    picture = Picture("energy", "Energy", f"Joules for 1,000 texts, measured by {sources}.")
    with figure(WIDTH, 1.2 + 0.3 * len(found), *picture.files(folder)) as drawn:
        axes = drawn.subplots()
        for place, (name, entry) in enumerate(found.items()):
            axes.barh(place, entry.figures.joules_per_1000, 0.7, color=looks(list(found))[name][0])
        axes.set_yticks(range(len(found)), [label_text(name) for name in found])
        axes.set(xlabel="joules for 1,000 texts", ylim=(len(found) - 0.5, -0.5))
        axes.grid(axis="x", lw=0.5)
    return picture


def _without_work(entry: Entry) -> str:
    return entry.name.removesuffix(f", {entry.row.case.workload}")


def _styles(names: Sequence[str]) -> Mapping[str, dict[str, Any]]:
    """How each line looks: a colour, and another dash once the colours are used up."""
    colours = looks(names)
    return {
        name: {"color": colours[name][0], "ls": _LINES[i // 8 % len(_LINES)], "label": name}
        for i, name in enumerate(names[:_MOST])
    }


def _legend(drawn: Any) -> None:
    drawn.legend(loc="outside lower center", ncols=1, frameon=False, fontsize=8, labelcolor=INK)

"""The report's pictures: speed against accuracy, the labels of a variant, and the sensitivity of matrix products.

They are narrow, so that a phone shows their letters at nearly full size.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgener.parity.bootstrap import Estimate
from edgener.parity.compare import ParityReport

from .canvas import INK, figure, label_text, looks
from .pareto import front

if TYPE_CHECKING:
    from edgener.search import SearchTrial
    from edgener_runtime.bundle.manifest import Speed, Spread

WIDTH = 4.4  # inches
_LARGEST = 500  # area of the largest variant's mark, in square points
_PARTS = ("query", "key", "value", "attention_output", "feed_forward_1", "feed_forward_2")
_PALE, _DARK = "#fefefe", "#010101"  # letters on coloured cells, the same in any colour scheme


@dataclass(frozen=True)
class Picture:
    """A picture: the stem of its files, its heading, and what it shows in words."""

    name: str
    title: str
    text: str

    def files(self, folder: Path) -> tuple[Path, Path]:
        """Where its SVG and its PNG stand."""
        return folder / f"{self.name}.svg", folder / f"{self.name}.png"


@dataclass(frozen=True)
class Point:
    """A variant in a plane: both figures with their ends, and its bytes."""

    x: Spread
    y: Estimate
    size: int


# --- speed against accuracy


def draw_accuracy(
    reports: Sequence[ParityReport], speed: Mapping[str, Speed], sizes: Mapping[str, int], folder: Path
) -> Picture | None:
    """Latency against entity F1, or None where no variant has both."""
    points = {}
    for report in reports:
        found, measured = report.estimates.overall, speed.get(report.variant)
        if measured and found.f1 is not None and found.f1_pytorch is not None and found.f1_difference:
            ends = (found.f1_pytorch + end for end in (found.f1_difference.low, found.f1_difference.high))
            points[report.variant] = Point(measured.latency_ms, Estimate(found.f1, *ends), sizes[report.variant])
    if not points:
        return None
    best = front({name: (point.x.median, -point.y.value) for name, point in points.items()})
    text = f"Up and to the left is better. {FRONT} {', '.join(best)}. {_BARS}"
    picture = Picture("f1-latency", "Latency against entity F1", text)
    with figure(WIDTH, 4, *picture.files(folder)) as drawn:
        axes = draw_points(drawn, points, best)
        axes.set(xlabel="milliseconds a text, alone", ylabel="entity F1")
        pytorch = reports[0].estimates.overall.f1_pytorch
        axes.axhline(pytorch, color=INK, lw=0.8, ls=":", label="PyTorch's F1")
        drawn.legend(loc="outside lower center", ncols=2, frameon=False)
    return picture


def draw_churn(
    reports: Sequence[ParityReport], speed: Mapping[str, Speed], sizes: Mapping[str, int], folder: Path
) -> Picture | None:
    """Throughput against churn, or None where no variant has both."""
    points = {}
    for report in reports:
        churn, measured = report.estimates.overall.churn, speed.get(report.variant)
        if measured and churn:
            points[report.variant] = Point(measured.throughput, churn, sizes[report.variant])
    if not points:
        return None
    best = front({name: (-point.x.median, point.y.value) for name, point in points.items()})
    text = f"Down and to the right is better. {FRONT} {', '.join(best)}. {_BARS}"
    picture = Picture("churn-throughput", "Throughput against churn", text)
    with figure(WIDTH, 4, *picture.files(folder)) as drawn:
        axes = draw_points(drawn, points, best)
        axes.set(xlabel="subwords a second", ylabel="entities that differ from PyTorch's")
        axes.yaxis.set_major_formatter(_percent())
        drawn.legend(loc="outside lower center", ncols=2, frameon=False)
    return picture


def search_picture(trials: Sequence[SearchTrial], data: str, folder: Path) -> Picture | None:
    """The picture of a search, or None where none was made."""
    if not trials:
        return None
    text = f"Mixes of precisions that the search tried on {data}; bars are 95 % intervals. Down and right is better."
    picture = Picture("search", "What the search tried", text)
    draw_search(trials, data, *picture.files(folder))
    return picture


def draw_search(trials: Sequence[SearchTrial], data: str, *files: Path) -> None:
    """Throughput against churn of what a search tried, written to `files` (SVG, PNG); mixes are dots without a name."""
    timed = {trial.name: Point(trial.speed.throughput, trial.churn, trial.size)
             for trial in trials if trial.speed and trial.churn}  # fmt: skip
    named = {name: point for name, point in timed.items() if " of " not in name}
    mixes = [point for name, point in timed.items() if name not in named]
    best = front({name: (-point.x.median, point.y.value) for name, point in timed.items()})
    with figure(WIDTH, 4, *files) as drawn:
        axes = drawn.subplots()
        axes.plot(*zip(*((timed[name].x.median, timed[name].y.value) for name in best), strict=True), **_FRONT_LINE)
        at = [point.x.median for point in mixes], [point.y.value for point in mixes]
        axes.errorbar(*at, yerr=_arms([point.y for point in mixes]), fmt="o", color=INK, ms=4, lw=0.8, label="mixes")
        for name, (colour, marker) in looks(list(named)).items():
            point = named[name]
            style = {"color": colour, "marker": marker, "mec": INK, "ls": "none", "ms": 9, "zorder": 3, "label": name}
            axes.plot([point.x.median], [point.y.value], **style)
        axes.set(xlabel="subwords a second", ylabel="entities that differ from PyTorch's", title=f"tried on {data}")
        axes.yaxis.set_major_formatter(_percent())
        axes.grid(lw=0.5)
        drawn.legend(loc="outside lower center", ncols=2, frameon=False)


_FRONT_LINE = {"color": INK, "lw": 0.8, "ls": "--", "label": "front"}
FRONT = "The front, which nothing beats in both, from the fastest on:"
_BARS = "The area is the size of the file; bars are the spread of the rounds and the 95 % interval."


def draw_points(drawn: Any, points: Mapping[str, Point], best: Sequence[str]) -> Any:
    """Points with their arms, and the line of the best; the axes."""
    axes = drawn.subplots()
    largest = max(point.size for point in points.values())
    line = [(points[name].x.median, points[name].y.value) for name in best]
    axes.plot(*zip(*line, strict=True), **_FRONT_LINE)
    for name, (colour, marker) in looks(list(points)).items():
        point = points[name]
        at = [point.x.median], [point.y.value]
        arms = [[point.x.median - point.x.low], [point.x.high - point.x.median]], _arms([point.y])
        axes.errorbar(*at, xerr=arms[0], yerr=arms[1], color=INK, lw=0.8, capsize=2, ls="none")
        area = _LARGEST * point.size / max(1, largest)
        label = f"{name}, {point.size / 1e6:.1f} MB"
        axes.scatter(*at, s=area, c=colour, marker=marker, ec=INK, lw=0.8, alpha=0.8, zorder=3)
        axes.plot([], [], color=colour, marker=marker, mec=INK, mew=0.8, ls="none", label=label)  # of one size
    axes.margins(0.18)
    axes.locator_params(nbins=5)
    axes.grid(lw=0.5)
    return axes


# --- labels


def draw_labels(report: ParityReport, reports: Sequence[ParityReport], folder: Path) -> Picture | None:
    """F1 difference and churn of each label with intervals, on the scale of all reports; None without a label."""
    labels = report.estimates.labels
    if not labels:
        return None
    text = f"Each label of {report.variant} against PyTorch, with 95 % intervals; the same scale for every variant."
    picture = Picture(f"labels-{report.variant}", report.variant, text)
    with figure(WIDTH, 1.1 + 0.26 * len(labels), *picture.files(folder)) as drawn:
        sides = drawn.subplots(1, 2, sharey=True)
        for axes, (heading, colour, measure) in zip(sides, _LABEL_FIGURES, strict=True):
            _draw_bars(axes, [measure(found) for found in labels.values()], colour)
            axes.set_title(heading, size=9)
            axes.set_xlim(_limits(measure(found) for each in reports for found in each.estimates.labels.values()))
        sides[0].set_yticks(range(len(labels)), [label_text(label) for label in labels])
        sides[0].set_ylim(len(labels) - 0.5, -0.5)
        sides[1].xaxis.set_major_formatter(_percent())
    return picture


_LABEL_FIGURES = (("F1 difference", "#0072B2", attrgetter("f1_difference")), ("churn", "#E69F00", attrgetter("churn")))


def _draw_bars(axes: Any, estimates: Sequence[Estimate | None], colour: str) -> None:
    seen = {row: estimate for row, estimate in enumerate(estimates) if estimate}
    values = [estimate.value for estimate in seen.values()]
    axes.barh(list(seen), values, 0.7, color=colour)
    axes.errorbar(values, list(seen), xerr=_arms(list(seen.values())), color=INK, lw=1, capsize=2, ls="none")
    axes.axvline(0, color=INK, lw=0.8)
    axes.grid(axis="x", lw=0.5)
    axes.locator_params(axis="x", nbins=3)
    for row, estimate in enumerate(estimates):
        if estimate is None:
            axes.text(0, row, " none", va="center", size=7)


def _arms(estimates: Sequence[Estimate]) -> list[list[float]]:
    """How far intervals reach down and up; a bias-corrected one can lie beside its value."""
    return [
        [max(0.0, estimate.value - estimate.low) for estimate in estimates],
        [max(0.0, estimate.high - estimate.value) for estimate in estimates],
    ]


def _limits(estimates: Any) -> tuple[float, float]:
    ends = [end for estimate in estimates if estimate for end in (estimate.low, estimate.value, estimate.high)]
    low, high = min([0.0, *ends]), max([0.0, *ends])
    room = 0.05 * (high - low) or 0.01
    return low - room, high + room


def _percent() -> Any:
    from matplotlib.ticker import PercentFormatter

    return PercentFormatter(1)


# --- sensitivities


def draw_sensitivity(form: str, sensitivities: Mapping[str, Mapping[str, float]], folder: Path) -> Picture:
    """Layers by parts, each cell the relative L2 error of the logits in per cent when that product alone has a form.

    The colours are logarithmic and the same for every form.
    """
    errors = {role: found[form] for role, found in sensitivities.items() if form in found}
    worst = max(errors, key=lambda role: errors[role])
    outside = [f"{role} {value:.2%}" for role, value in errors.items() if _cell(role) is None]
    text = f"The most sensitive product is {worst} with {errors[worst]:.2%}. Cells are per cent."
    text += f" Outside the layers: {', '.join(outside)}." if outside else ""
    picture = Picture(f"sensitivity-{form}", form, text)
    cells = {cell: value for role, value in errors.items() if (cell := _cell(role))}
    layers = sorted({layer for layer, _ in cells})
    with figure(WIDTH, 1.5 + 0.25 * len(layers), *picture.files(folder)) as drawn:
        axes = drawn.subplots()
        colours = _scale(sensitivities)
        for (layer, part), value in cells.items():
            _draw_cell(axes, part, layers.index(layer), value, colours)
        axes.set_xlim(-0.5, len(_PARTS) - 0.5)
        axes.set_ylim(len(layers) - 0.5, -0.5)
        axes.set_yticks(range(len(layers)), layers)
        axes.set_xticks(range(len(_PARTS)), [part.replace("_", "\n") for part in _PARTS], size=7)
        axes.set_ylabel("layer")
    return picture


def _cell(role: str) -> tuple[int, int] | None:
    """Layer and part of a role such as `layer.3.key`."""
    where, _, part = role.rpartition(".")
    layer = where.removeprefix("layer.")
    return (int(layer), _PARTS.index(part)) if part in _PARTS and layer.isdecimal() else None


def _scale(sensitivities: Mapping[str, Mapping[str, float]]) -> Any:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LogNorm

    values = [value for found in sensitivities.values() for value in found.values() if value > 0] or [1.0]
    return ScalarMappable(LogNorm(min(values), max(max(values), 1.01 * min(values)), clip=True), "cividis")


def _draw_cell(axes: Any, part: int, row: int, value: float, colours: Any) -> None:
    colour = colours.to_rgba(value) if value > 0 else colours.get_cmap()(0.0)
    axes.bar(part, -1, 1, row + 0.5, color=colour, lw=0)
    letters = _DARK if luminance(colour) > 0.18 else _PALE
    axes.text(part, row, f"{100 * value:.2g}", ha="center", va="center", size=7, color=letters)


def luminance(colour: Sequence[float]) -> float:
    """The relative luminance of red, green and blue (0 to 1) by WCAG 2; at 0.18 black and white stand out alike."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour[:3]]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

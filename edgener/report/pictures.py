"""The report's pictures: speed against accuracy, the labels of a variant, and the sensitivity of matrix products.

They are narrow, so that letters stay readable on a phone.
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
from .tradeoff import FRONT_LINE, Plane, Point, arms, draw_tradeoff, front_text, pareto_front

if TYPE_CHECKING:
    from edgener.search import SearchTrial
    from edgener_runtime.bundle.manifest import Speed, Spread

WIDTH, WIDE = 4.4, 5.4  # inches
LEAST_F1 = 0.01  # the least span of an axis of F1
_PARTS = ("query", "key", "value", "attention_output", "feed_forward_1", "feed_forward_2")
_PALE, _DARK = "#fefefe", "#010101"  # letters on coloured cells, the same in any colour scheme


@dataclass(frozen=True)
class Picture:
    """A picture: the stem of its files, its heading, and its description."""

    name: str
    title: str
    text: str

    def files(self, folder: Path) -> tuple[Path, Path]:
        """The paths of its SVG and its PNG."""
        return folder / f"{self.name}.svg", folder / f"{self.name}.png"


# --- speed against accuracy


def draw_accuracy(
    reports: Sequence[ParityReport], speed: Mapping[str, Speed], sizes: Mapping[str, int], folder: Path
) -> Picture | None:
    """Latency against entity F1, or None where no variant has both."""
    points, reference = [], 0.0
    for report in reports:
        found, measured = report.estimates.overall, speed.get(report.variant)
        if measured and found.f1 is not None and found.f1_pytorch is not None and found.f1_difference:
            ends = (found.f1_pytorch + end for end in (found.f1_difference.low, found.f1_difference.high))
            f1, latency = Estimate(found.f1, *ends), _estimate(measured.latency_ms)
            points.append(Point(report.variant, latency, f1, sizes[report.variant]))
            reference = found.f1_pytorch
    if not points:
        return None
    plane = Plane("milliseconds per text, one text at a time", "entity F1", less_x=True, less_y=False, least_y=LEAST_F1)
    picture = Picture("f1-latency", "Latency against entity F1", _text_of(plane, points))
    with figure(WIDE, 3.7, *picture.files(folder)) as drawn:
        draw_tradeoff(drawn, plane, points, ("PyTorch's F1", reference))
    return picture


def draw_churn(
    reports: Sequence[ParityReport], speed: Mapping[str, Speed], sizes: Mapping[str, int], folder: Path
) -> Picture | None:
    """Throughput against churn, or None where no variant has both."""
    points = []
    for report in reports:
        churn, measured = report.estimates.overall.churn, speed.get(report.variant)
        if measured and churn:
            points.append(Point(report.variant, _estimate(measured.throughput), churn, sizes[report.variant]))
    if not points:
        return None
    plane = Plane("subwords per second", "entities that differ from PyTorch's", less_x=False, less_y=True)
    picture = Picture("churn-throughput", "Throughput against churn", _text_of(plane, points))
    with figure(WIDE, 3.7, *picture.files(folder)) as drawn:
        draw_tradeoff(drawn, plane, points).yaxis.set_major_formatter(_percent())
    return picture


def _text_of(plane: Plane, points: Sequence[Point]) -> str:
    front = front_text(pareto_front(plane, points))
    return f"{plane.direction} {front} Bars are the spread of the rounds and the 95\u00a0% interval."


def _estimate(spread: Spread) -> Estimate:
    return Estimate(spread.median, spread.low, spread.high)


def search_picture(trials: Sequence[SearchTrial], data: str, folder: Path) -> Picture | None:
    """The picture of a search's trials, or None without a search."""
    if not trials:
        return None
    text = f"Mixes of precisions that the search tried on {data}; bars are 95 % intervals. Down and right is better."
    picture = Picture("search", "What the search tried", text)
    draw_search(trials, data, *picture.files(folder))
    return picture


def draw_search(trials: Sequence[SearchTrial], data: str, *files: Path) -> None:
    """Draw throughput against churn of a search's trials into `files` (SVG, PNG); mixes are dots without a name."""
    timed = {trial.name: Point(trial.name, _estimate(trial.speed.throughput), trial.churn, trial.size)
             for trial in trials if trial.speed and trial.churn}  # fmt: skip
    named = {name: point for name, point in timed.items() if " of " not in name}
    mixes = [point for name, point in timed.items() if name not in named]
    best = pareto_front(Plane("", "", less_x=False, less_y=True), list(timed.values()))
    with figure(WIDTH, 4, *files) as drawn:
        axes = drawn.subplots()
        line = [(point.x.value, point.y.value) for point in best]
        axes.plot(*zip(*line, strict=True), color=INK, label="Pareto front", **FRONT_LINE)
        at = [point.x.value for point in mixes], [point.y.value for point in mixes]
        axes.errorbar(*at, yerr=arms([point.y for point in mixes]), fmt="o", color=INK, ms=4, lw=0.8, label="mixes")
        for name, (colour, marker) in looks(list(named)).items():
            point = named[name]
            style = {"color": colour, "marker": marker, "mec": INK, "ls": "none", "ms": 9, "zorder": 3, "label": name}
            axes.plot([point.x.value], [point.y.value], **style)
        axes.set(xlabel="subwords per second", ylabel="entities that differ from PyTorch's", title=f"tried on {data}")
        axes.yaxis.set_major_formatter(_percent())
        axes.grid(lw=0.5)
        drawn.legend(loc="outside lower center", ncols=2, frameon=False)


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
    axes.errorbar(values, list(seen), xerr=arms(list(seen.values())), color=INK, lw=1, capsize=2, ls="none")
    axes.axvline(0, color=INK, lw=0.8)
    axes.grid(axis="x", lw=0.5)
    axes.locator_params(axis="x", nbins=3)
    for row, estimate in enumerate(estimates):
        if estimate is None:
            axes.text(0, row, " none", va="center", size=7)


def _limits(estimates: Any) -> tuple[float, float]:
    ends = [end for estimate in estimates if estimate for end in (estimate.low, estimate.value, estimate.high)]
    low, high = min([0.0, *ends]), max([0.0, *ends])
    room = 0.05 * (high - low) or 0.01
    return low - room, high + room


def _percent() -> Any:
    from matplotlib.ticker import PercentFormatter

    return PercentFormatter(1)


# --- sensitivities


def draw_sensitivity(precision: str, sensitivities: Mapping[str, Mapping[str, float]], folder: Path) -> Picture:
    """Layers by parts: the relative L2 error of the logits in per cent where only that product has a precision.

    The colours are logarithmic and the same for every precision.
    """
    errors = {role: found[precision] for role, found in sensitivities.items() if precision in found}
    worst = max(errors, key=lambda role: errors[role])
    outside = [f"{role} {value:.2%}" for role, value in errors.items() if _cell(role) is None]
    text = f"The most sensitive product is {worst} with {errors[worst]:.2%}. Cells are per cent."
    text += f" Outside the layers: {', '.join(outside)}." if outside else ""
    picture = Picture(f"sensitivity-{precision}", precision, text)
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
    """The relative luminance of red, green and blue (0 to 1) by WCAG 2; at 0.18 black contrasts as much as white."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour[:3]]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

"""Two figures against each other: a mark with its name for each point, and the Pareto front of each series."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgener.parity.bootstrap import Estimate

from .canvas import INK, PAPER, label_text, logarithmic, looks

FRONT_LINE: dict[str, Any] = {"lw": 0.9, "ls": "--", "zorder": 1}
_MOST_NAMES = 24  # a picture with more points names only those on a Pareto front
_POINTS = 72  # per inch
_BESIDE = 2  # pixels that a name keeps free around it
_WIDE_RANGE = 10  # the ratio of the ends from which an axis is logarithmic
_LARGEST = 240  # area of the largest file's mark, in square points
# Where a name can stand beside its mark: an offset in points and how it is aligned, the best place first.
_PLACES = (
    ((10, 0), "left", "center"),
    ((-10, 0), "right", "center"),
    ((0, 9), "center", "bottom"),
    ((0, -9), "center", "top"),
    ((8, 7), "left", "bottom"),
    ((-8, 7), "right", "bottom"),
    ((8, -7), "left", "top"),
    ((-8, -7), "right", "top"),
    ((8, 18), "left", "bottom"),
    ((8, -18), "left", "top"),
    ((-8, 18), "right", "bottom"),
    ((-8, -18), "right", "top"),
)


@dataclass(frozen=True)
class Plane:
    """The names of both axes, for each whether less is better, and the least height, lest noise look like much."""

    x: str
    y: str
    less_x: bool
    less_y: bool
    least_y: float = 0.0

    @property
    def direction(self) -> str:
        """The sentence that says where the best points are."""
        return f"{'Down' if self.less_y else 'Up'} and to the {'left' if self.less_x else 'right'} is better."


@dataclass(frozen=True)
class Point:
    """A point with the ends of both figures, the bytes of its file, and its series, such as a machine."""

    name: str
    x: Estimate
    y: Estimate
    size: int
    series: str = ""


def front(costs: Mapping[str, tuple[float, float]]) -> list[str]:
    """The names on the Pareto front of costs of which less is better, in the order of the first cost."""
    best: list[str] = []
    for name in sorted(costs, key=lambda name: costs[name]):
        if not best or costs[name][1] < costs[best[-1]][1]:
            best.append(name)
    return best


def pareto_front(plane: Plane, points: Sequence[Point]) -> list[Point]:
    """The points on the Pareto front of their series: no other of the series is better in both figures."""
    signs = 1 if plane.less_x else -1, 1 if plane.less_y else -1
    costs: dict[str, dict[str, tuple[float, float]]] = {}
    for number, point in enumerate(points):
        costs.setdefault(point.series, {})[str(number)] = (signs[0] * point.x.value, signs[1] * point.y.value)
    return [points[int(number)] for series in costs.values() for number in front(series)]


def front_text(best: Sequence[Point]) -> str:
    """The sentence that names the points on the Pareto front."""
    several = len({point.series for point in best}) > 1
    names = (f"{point.name} on {point.series}" if several else point.name for point in best)
    front = f"Filled marks on the dashed line are the Pareto front: {', '.join(names)}."
    return f"{front} The area of a mark is the size of the file."


def draw_tradeoff(drawn: Any, plane: Plane, points: Sequence[Point], level: tuple[str, float] | None = None) -> Any:
    """Draw points, their names, the Pareto front of each series, and a named level of y; returns the axes."""
    axes = drawn.subplots()
    best = pareto_front(plane, points)
    styles = looks(list(dict.fromkeys(point.series for point in points)))
    for series, (colour, marker) in styles.items():
        line = [(point.x.value, point.y.value) for point in best if point.series == series]
        axes.plot(*zip(*line, strict=True), color=colour, **FRONT_LINE)
        if series:
            axes.plot([], [], color=colour, marker=marker, ms=8, mec=INK, mew=0.8, ls="none", label=label_text(series))
    axes.plot([], [], color=INK, label="Pareto front", **FRONT_LINE)
    if level:
        axes.axhline(level[1], color=INK, lw=0.8, ls=":", label=level[0])
    areas = _areas(points)
    for point, area in zip(points, areas, strict=True):
        _draw_mark(axes, point, area, *styles[point.series], filled=point in best)
    axes.set(xlabel=plane.x, ylabel=plane.y)
    _draw_scales(axes, plane, points)
    named = points if len(points) <= _MOST_NAMES else best
    drawn.legend(loc="outside lower center", ncols=2, frameon=False)
    _draw_names(drawn, axes, named, points)
    return axes


def _areas(points: Sequence[Point]) -> list[float]:
    largest = max(1, *(point.size for point in points))
    return [_LARGEST * point.size / largest for point in points]


def _draw_mark(axes: Any, point: Point, area: float, colour: str, marker: str, filled: bool) -> None:
    at = [point.x.value], [point.y.value]
    axes.errorbar(*at, xerr=arms([point.x]), yerr=arms([point.y]), color=colour, lw=0.9, alpha=0.7, ls="none", zorder=2)
    fill = colour if filled else PAPER
    axes.scatter(*at, s=area, color=fill, marker=marker, edgecolors=INK if filled else colour, lw=1.2, zorder=3)


def _draw_scales(axes: Any, plane: Plane, points: Sequence[Point]) -> None:
    """Scales with room for the names."""
    values = [point.x.value for point in points]
    axes.margins(0.16)
    axes.grid(lw=0.5)
    low, high = axes.get_ylim()
    room = max(0.0, plane.least_y - (high - low)) / 2
    axes.set_ylim(low - room, high + room)
    if min(values) > 0 and max(values) / min(values) > _WIDE_RANGE:
        logarithmic(axes, "x")
        axes.locator_params(axis="y", nbins=5)
    else:
        axes.locator_params(nbins=6)


def _draw_names(drawn: Any, axes: Any, named: Sequence[Point], points: Sequence[Point]) -> None:
    """Each name beside its mark, in the first place where it covers no mark, no other name and no edge."""
    from matplotlib.transforms import Bbox

    drawn.draw_without_rendering()  # only a figure that is laid out says where its points are
    renderer = drawn.canvas.get_renderer()
    taken, bars = [], []
    for point, area in zip(points, _areas(points), strict=True):
        x, y = axes.transData.transform((point.x.value, point.y.value))
        left, low = axes.transData.transform((point.x.low, point.y.low))
        right, high = axes.transData.transform((point.x.high, point.y.high))
        half = area**0.5 / 2 * drawn.dpi / _POINTS
        taken.append(Bbox.from_extents(x - half, y - half, x + half, y + half))
        bars += [Bbox.from_extents(left, y - 1, right, y + 1), Bbox.from_extents(x - 1, low, x + 1, high)]
    for point in named:
        at = (point.x.value, point.y.value)
        name = axes.annotate(label_text(point.name), at, (0, 0), textcoords="offset points", size=8.5, zorder=4)
        name.set_in_layout(False)
        name.set_bbox({"fc": PAPER, "alpha": 0.7, "lw": 0, "pad": 0.5})
        boxes = {place: _placed(name, place, renderer) for place in range(len(_PLACES))}
        place = min(boxes, key=lambda place: _covered(boxes[place], taken, bars, axes.bbox))
        _placed(name, place, renderer)
        taken.append(boxes[place])


def _placed(name: Any, place: int, renderer: Any) -> Any:
    """Put a name into one of _PLACES; returns the box that it fills there."""
    offset, across, along = _PLACES[place]
    name.set(position=offset, ha=across, va=along)
    return name.get_window_extent(renderer).padded(_BESIDE)


def _covered(box: Any, taken: Sequence[Any], bars: Sequence[Any], frame: Any) -> int:
    """How bad a place for a name is: bars can be covered if need be, marks and other names rather not."""
    inside = frame.x0 <= box.x0 and box.x1 <= frame.x1 and frame.y0 <= box.y0 and box.y1 <= frame.y1
    covered = [sum(bool(box.overlaps(other)) for other in others) for others in (taken, bars)]
    return 10 * covered[0] + covered[1] + (0 if inside else 100)


def arms(estimates: Sequence[Estimate]) -> list[list[float]]:
    """How far intervals reach down and up; a bias-corrected one can lie beside its value."""
    return [
        [max(0.0, estimate.value - estimate.low) for estimate in estimates],
        [max(0.0, estimate.high - estimate.value) for estimate in estimates],
    ]

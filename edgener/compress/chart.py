"""The chart of a compression: time or size of the candidates against their entity F1, with the Pareto front."""

from __future__ import annotations

from pathlib import Path

from edgener.parity.bootstrap import Estimate
from edgener.report.canvas import INK, figure
from edgener.report.pictures import LEAST_F1, WIDE
from edgener.report.tradeoff import Plane, Point, draw_tradeoff

from .result import CompressedModel, CompressionResult

CHART = "compression.png"


def draw_compression(result: CompressionResult, folder: Path) -> Path:
    """Draw the judged candidates into a folder as PNG and SVG, and return the PNG."""
    by_time = result.target.ms is not None
    axis = "milliseconds per text, one text at a time" if by_time else "MB of the file"
    plane = Plane(axis, "entity F1 on valid", less_x=True, less_y=False, least_y=LEAST_F1)
    points = [_point(each, by_time) for each in result.candidates if each.answers]
    whole = next(each for each in result.candidates if each.answers)
    limit = result.target.ms if by_time else result.target.mb
    chart = folder / CHART
    with figure(WIDE, 3.7, chart, chart.with_suffix(".svg")) as drawn:
        least = ("least F1 that is allowed", points[0].y.value + whole.lost - result.target.f1_drop)
        axes = draw_tradeoff(drawn, plane, points, least)
        axes.axvline(limit, color=INK, lw=0.8, ls=":")
    return chart


def _point(candidate: CompressedModel, by_time: bool) -> Point:
    """A candidate with the spread of its time, or its size, and with the interval of its F1."""
    speed, mb, answers = candidate.speed.latency_ms, candidate.mb, candidate.answers
    x = Estimate(speed.median, speed.low, speed.high) if by_time else Estimate(mb, mb, mb)
    f1, change = (answers.f1, answers.f1_difference) if answers else (0.0, None)
    reach = (f1 - change.value + change.low, f1 - change.value + change.high) if change else (f1, f1)
    return Point(candidate.name, x, Estimate(f1, *reach), candidate.size)

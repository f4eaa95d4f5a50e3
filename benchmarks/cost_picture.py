"""Draws what cost_curves.py measured: python benchmarks/cost_picture.py FILE docs/cost.png

Above, milliseconds a text by its length, a line for each number of texts that run together, on all threads; below,
operations a second by how many each byte of weights that is read takes part in, under the rooflines.
"""

from __future__ import annotations

import json
from itertools import groupby
from pathlib import Path
from typing import Any

import click

from edgener.report.canvas import COLOURS, MARKERS, figure

TEXTS = (1, 4, 16, 64)
GIGA = 1e9


@click.command()
@click.argument("source", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
def main(source: Path, out: Path) -> None:
    """Draw the curves in SOURCE, a column a model."""
    record = json.loads(source.read_text(encoding="utf-8"))
    models = [(name, list(curves)) for name, curves in groupby(record["cost"], lambda curve: curve["model"])]
    with figure(5.2 * len(models), 8, out) as drawn:
        axes = drawn.subplots(2, len(models), squeeze=False)
        for column, (name, curves) in enumerate(models):
            _draw_lengths(axes[0][column], name, curves)
            _draw_roofline(axes[1][column], curves)
        drawn.suptitle(f"{record['cpu']}, onnxruntime {record['onnxruntime']}, ids in and logits out")


def _draw_lengths(axes: Any, name: str, curves: list[dict[str, Any]]) -> None:
    threads = max(curve["threads"] for curve in curves)
    for curve, style in zip([each for each in curves if each["threads"] == threads], ("--", "-"), strict=True):
        for texts, colour in zip(TEXTS, COLOURS, strict=False):
            points = [point for point in curve["points"] if point["texts"] == texts]
            axes.plot(
                [point["subwords"] for point in points], [1000 * point["seconds"] / texts for point in points],
                style, color=colour, marker=".", label=f"{curve['variant']}, {texts} together",
            )  # fmt: skip
    axes.set(title=f"{name}, {threads} threads", xlabel="subwords of a text", ylabel="ms a text")
    _on_logarithms(axes)


def _draw_roofline(axes: Any, curves: list[dict[str, Any]]) -> None:
    for curve, colour, marker in zip(curves, COLOURS, MARKERS, strict=False):
        read = curve["weight_bytes"]
        intensities = sorted(point["operations"] / read for point in curve["points"])
        roof = [min(curve["peak_operations_per_second"], each * curve["read_bytes_per_second"]) for each in intensities]
        axes.plot(intensities, [each / GIGA for each in roof], color=colour, linewidth=1)
        axes.plot(
            [point["operations"] / read for point in curve["points"]],
            [point["operations"] / point["seconds"] / GIGA for point in curve["points"]],
            marker, markersize=3, color=colour, label=f"{curve['variant']}, {curve['threads']} threads",
        )  # fmt: skip
    axes.set(xlabel="operations for each byte of weights", ylabel="billions of operations a second")
    _on_logarithms(axes)


def _on_logarithms(axes: Any) -> None:
    """Both axes on scales of 2, with plain numbers: the canvas has no mathematics in its texts."""
    axes.set_xscale("log", base=2)
    axes.set_yscale("log", base=2)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.grid(visible=True)
    axes.legend(fontsize=7)


if __name__ == "__main__":
    main()

"""Pictures: the confusion matrix of tags, the reliability of scores, the curves of training and of learning."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgener.confidence.reliability import Curve, Reliability
from edgener.parity.measures.metrics import Tags
from edgener.train.learning_curve import LearningCurve

from .canvas import COLOURS, INK, RULE, figure, logarithmic


def confusion(gold: Tags, predicted: Tags, tags: Sequence[str]) -> list[list[int]]:
    """Counts of tokens, one row per gold tag and one column per predicted tag, in the order of `tags`."""
    index = {tag: number for number, tag in enumerate(tags)}
    counts = [[0] * len(tags) for _ in tags]
    for ours, theirs in zip(gold, predicted, strict=True):
        for true, guess in zip(ours, theirs, strict=True):
            counts[index[true]][index[guess]] += 1
    return counts


def plot_confusion(counts: Sequence[Sequence[int]], tags: Sequence[str], file: Path) -> None:
    """A heat map, each row coloured by its share, each cell with its count."""
    with figure(1.5 + 0.6 * len(tags), 1 + 0.5 * len(tags), file) as drawn:
        axes = drawn.subplots()
        axes.imshow([[cell / max(1, sum(row)) for cell in row] for row in counts], cmap="Blues", vmin=0, vmax=1)
        axes.set_xticks(range(len(tags)), tags, rotation=90, parse_math=False)
        axes.set_yticks(range(len(tags)), tags, parse_math=False)
        axes.set(xlabel="predicted tag", ylabel="gold tag")
        for i, row in enumerate(counts):
            for j, cell in enumerate(row):
                colour = "white" if cell > 0.5 * sum(row) else "black"
                axes.text(j, i, cell or "", ha="center", va="center", size=7, color=colour)


def plot_reliability(reliability: Reliability, *files: Path) -> None:
    """The share of right predictions by their score, for tokens and for entities, before and after the temperature.

    Points on the diagonal are as often right as their score says; the area of a point is its number of predictions.
    """
    with figure(8, 4, *files) as drawn:
        for axes, (name, both) in zip(drawn.subplots(1, 2), reliability.kinds.items(), strict=True):
            axes.plot([0, 1], [0, 1], color=RULE, linestyle="--")
            _draw_curve(axes, both.before, "as trained", COLOURS[0])
            if both.after:
                _draw_curve(axes, both.after, f"at temperature {reliability.temperature:g}", COLOURS[1])
            axes.set(xlabel=f"score of {name}", ylabel="share that is right", xlim=(0, 1.02), ylim=(0, 1.02))
            axes.legend(loc="upper left", markerscale=0.5)


def _draw_curve(axes: Any, curve: Curve, title: str, colour: str) -> None:
    scores, right = [each.score for each in curve.bins], [each.correct for each in curve.bins]
    sizes = [8 + 240 * each.count / curve.count for each in curve.bins]
    axes.plot(scores, right, color=colour, linewidth=1)
    axes.scatter(scores, right, s=sizes, color=colour, alpha=0.6, label=f"{title}: ECE {curve.error:.4f}")


def plot_training(epochs: Sequence[dict[str, float]], file: Path) -> None:
    """Loss of training and validation, and the validation's entity F1, by epoch."""
    with figure(6, 4, file) as drawn:
        axes = drawn.subplots()
        for key, name in (("train_loss", "training loss"), ("valid_loss", "validation loss")):
            rows = [row for row in epochs if key in row]
            axes.plot([row["epoch"] for row in rows], [row[key] for row in rows], "o-", label=name)
        axes.set(xlabel="epoch", ylabel="loss")
        scores = axes.twinx()
        rows = [row for row in epochs if "valid_f1" in row]
        scores.plot([row["epoch"] for row in rows], [row["valid_f1"] for row in rows], "s--", color="tab:green")
        scores.set_ylabel("validation entity F1 (dashed)")
        axes.legend(loc="center right")


def plot_learning_curve(curve: LearningCurve, file: Path) -> None:
    """F1 by the number of sentences: every run, the fit, and its interval where it is extrapolated."""
    with figure(6, 4, file) as drawn:
        axes = drawn.subplots()
        for point in curve.points:
            axes.plot([point.sentences] * len(point.f1), point.f1, "o", color=COLOURS[0], ms=4)
        fitted = [(point.sentences, point.fit) for point in (*curve.points, *curve.ahead) if point.fit]
        if fitted:
            at, fits = zip(*fitted, strict=True)
            axes.plot(at, [fit.value for fit in fits], "--", color=INK, label="power law")
            low, high = [fit.low for fit in fits], [fit.high for fit in fits]
            axes.fill_between(at, low, high, color=COLOURS[1], alpha=0.4, lw=0, label="95 % interval")
            axes.legend(loc="lower right")
        logarithmic(axes, "x")
        axes.set(xlabel="labelled sentences", ylabel="entity F1 on valid")
        axes.grid(axis="y")

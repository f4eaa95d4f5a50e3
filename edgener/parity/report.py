"""The parity report of a bundle: JSON for programs, Markdown for people."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

from .compare import ParityReport

PARITY_JSON, PARITY_MD = "parity.json", "parity.md"
COLUMNS = ("variant", "equal labels", "churn", "F1", "F1 PyTorch", "difference", "largest logit difference")


def write_reports(reports: Sequence[ParityReport], folder: Path) -> None:
    """Write parity.json and parity.md into a folder."""
    records = [dataclasses.asdict(report) for report in reports]
    (folder / PARITY_JSON).write_text(json.dumps(records, indent=2) + "\n", encoding="utf-8")
    (folder / PARITY_MD).write_text(markdown(reports), encoding="utf-8")


def row(report: ParityReport) -> tuple[str, ...]:
    """The figures of one variant as the table shows them."""
    figures = report.figures
    scores = [
        "-" if value is None else form.format(value)
        for value, form in (
            (figures.f1, "{:.4f}"), (figures.f1_pytorch, "{:.4f}"), (figures.f1_difference, "{:+.4f}"),
        )
    ]  # fmt: skip
    shares = (f"{figures.equal_labels:.4%}", f"{figures.churn:.2%}")
    return (report.variant, *shares, *scores, f"{figures.max_logit_difference:.2g}")


def markdown(reports: Sequence[ParityReport]) -> str:
    """A table of all variants, then the entity scores by label of each beside PyTorch's."""
    first = reports[0]
    lines = ["# Parity with PyTorch", "", f"Measured through edgener_runtime on {first.data}: "]
    lines[-1] += f"{first.figures.sentences} sentences, {first.figures.tokens} tokens."
    lines += ["", *_table(COLUMNS, [row(report) for report in reports])]
    for report in reports:
        if report.scores and report.scores_pytorch:
            lines += ["", f"## {report.variant}, entities by label", ""]
            theirs = report.scores_pytorch.labels
            rows = [
                (label, f"{score.f1:.4f}", f"{theirs[label].f1:.4f}" if label in theirs else "-", str(score.support))
                for label, score in report.scores.labels.items()
            ]
            lines += _table(("label", "F1", "F1 PyTorch", "support"), rows)
    return "\n".join(lines) + "\n"


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [
        f"| {' | '.join(columns)} |",
        f"|{'---|' * len(columns)}",
        *(f"| {' | '.join(cells)} |" for cells in rows),
    ]

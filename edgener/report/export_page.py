"""The page for people: verdicts, pictures, what changed, and where it came from, in one file that needs no network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from edgener.parity.bootstrap import LEVEL
from edgener.parity.compare import ParityReport
from edgener.parity.gate import Verdict, explain
from edgener.parity.measures.diff import KINDS, Change
from edgener_runtime.text.tokenize import without_surrogates

from .embed import embedded
from .excerpt import Excerpt, excerpts
from .pictures import draw_accuracy, draw_churn, draw_labels, draw_sensitivity, search_picture
from .tables import figures_table, label_table, logits_table, provenance_table, sensitivity_table
from .template import render

if TYPE_CHECKING:
    from edgener.search import SearchTrial
    from edgener_runtime.bundle.manifest import Speed

REPORT, PICTURES = "report.html", "report"
_SIGNS = {Verdict.PASS: "✓", Verdict.FAIL: "✗", Verdict.INCONCLUSIVE: "?"}


class Line(NamedTuple):
    """One judgement: its verdict, and what `explain` says of it."""

    verdict: str
    sign: str
    text: str


class Shown(NamedTuple):
    """One change of a variant, both sides of it, and the number of its label among all."""

    variant: str
    change: Change
    label: int
    sides: tuple[tuple[str, Excerpt], ...]


def write_html(
    reports: Sequence[ParityReport],
    speed: Mapping[str, Speed] | None,
    provenance: Mapping[str, Any],
    folder: Path,
    *,
    sizes: Mapping[str, int],
    sensitivities: Mapping[str, Mapping[str, float]] | None = None,
    trials: Sequence[SearchTrial] = (),
    tried_on: str = "",
) -> None:
    """Write report.html and its pictures (report/*.svg, *.png) into a folder.

    `speed` and `sizes` (bytes) are by variant, `sensitivities` by role of a matrix product and form: the relative L2
    error of the logits, `trials` what a search tried on the text `tried_on`.
    """
    pictures = folder / PICTURES
    pictures.mkdir()
    measured, noise = speed or {}, sensitivities or {}
    forms = dict.fromkeys(form for found in noise.values() for form in found)
    labels = sorted({change.label for report in reports for change in report.changes})
    values = {
        "first": reports[0],
        "level": f"{LEVEL:.0%}",
        "verdicts": [(report, _SIGNS[report.verdict], list(_lines(report))) for report in reports],
        "fronts": embedded(
            (draw(reports, measured, sizes, pictures) for draw in (draw_accuracy, draw_churn)), pictures
        ),
        "machines": sorted({(timed.isa, timed.threads) for timed in measured.values()}),
        "untimed": [report.variant for report in reports if report.variant not in measured],
        "bars": embedded((draw_labels(report, reports, pictures) for report in reports), pictures),
        "kinds": KINDS,
        "labels": labels,
        "changes": [shown for report in reports for shown in _shown(report, labels)],
        "search": embedded([search_picture(trials, tried_on, pictures)], pictures),
        "heat": embedded((draw_sensitivity(form, noise, pictures) for form in forms), pictures),
        "noise": sensitivity_table(noise),
        "figures": (figures_table(reports, measured, sizes), logits_table(reports)),
        "label_tables": [label_table(report) for report in reports],
        "provenance": provenance_table(provenance),
    }
    (folder / REPORT).write_text(
        without_surrogates(render("report.html", values, "report.js")), encoding="utf-8", newline="\n"
    )


def _lines(report: ParityReport) -> Iterator[Line]:
    for judged in report.judgements:
        yield Line(judged.verdict.value, _SIGNS[judged.verdict], explain(report.variant, judged))


def _shown(report: ParityReport, labels: Sequence[str]) -> Iterator[Shown]:
    for change in report.changes:
        sides = tuple(zip(("PyTorch", report.variant), excerpts(change), strict=True))
        yield Shown(report.variant, change, labels.index(change.label), sides)

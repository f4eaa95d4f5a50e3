"""The page of an export: a chart, a recommendation, verdicts, changed entities and provenance, in one file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from edgener.parity.bootstrap import LEVEL
from edgener.parity.compare import ParityReport
from edgener.parity.gate import Verdict, explain
from edgener.parity.measures.diff import KINDS, Change

from .excerpt import Excerpt, excerpts
from .html import embedded, render
from .pictures import draw_accuracy, draw_churn, draw_labels, draw_sensitivity, search_picture
from .tables import figures_table, label_table, logits_table, provenance_table, sensitivity_table

if TYPE_CHECKING:
    from edgener.search import SearchTrial
    from edgener_runtime.bundle.manifest import Speed

REPORT, PICTURES = "report.html", "report"
_SIGNS = {Verdict.PASS: "✓", Verdict.FAIL: "✗", Verdict.INCONCLUSIVE: "?"}


class JudgementLine(NamedTuple):
    """One judgement: its verdict, a sign for it, and its explanation."""

    verdict: str
    sign: str
    text: str


class ShownChange(NamedTuple):
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
) -> tuple[Path, ...]:
    """Write report.html and its pictures (report/*.svg, *.png) into a folder; the files.

    `speed` and `sizes` (bytes) are by variant. `sensitivities` are the relative L2 errors of the logits by role of a
    matrix product and precision. `trials` are those of a search on the text `tried_on`.
    """
    pictures = folder / PICTURES
    pictures.mkdir()
    measured, noise = speed or {}, sensitivities or {}
    precisions = dict.fromkeys(precision for found in noise.values() for precision in found)
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
        "heat": embedded((draw_sensitivity(each, noise, pictures) for each in precisions), pictures),
        "noise": sensitivity_table(noise),
        "variants": figures_table(reports, measured, sizes),
        "advice": advise(reports, measured, sizes),
        "logits": logits_table(reports),
        "label_tables": [label_table(report) for report in reports],
        "provenance": provenance_table(provenance),
    }
    page = render("Parity with PyTorch", "report.html", values, "report.js")
    (folder / REPORT).write_text(page, encoding="utf-8", newline="\n")
    return folder / REPORT, *sorted(pictures.iterdir())


def advise(reports: Sequence[ParityReport], speed: Mapping[str, Speed], sizes: Mapping[str, int]) -> str:
    """The sentence that recommends the fastest variant that passes, or the smallest where none of those was timed."""
    passed = [report for report in reports if report.verdict is Verdict.PASS]
    if not passed:
        return "No variant passes its accuracy budget."
    timed = [report for report in passed if report.variant in speed]
    if timed:
        best = min(timed, key=lambda report: speed[report.variant].latency_ms.median)
        how = f"the fastest variant that passes: {speed[best.variant].latency_ms.median:.2f} ms per text, "
    else:
        best = min(passed, key=lambda report: sizes[report.variant])
        how = "the smallest variant that passes (none of them was timed): "
    f1, churn = best.estimates.overall.f1, best.estimates.overall.churn
    parts = [] if f1 is None else [f"entity F1 {f1:.4f}"]
    parts += [] if churn is None else [f"churn {churn.value:.2%}"]
    return f"Recommended: {best.variant}, {how}{', '.join([*parts, f'{sizes[best.variant] / 1e6:.1f} MB'])}."


def _lines(report: ParityReport) -> Iterator[JudgementLine]:
    for judged in report.judgements:
        yield JudgementLine(judged.verdict.value, _SIGNS[judged.verdict], explain(report.variant, judged))


def _shown(report: ParityReport, labels: Sequence[str]) -> Iterator[ShownChange]:
    for change in report.changes:
        sides = tuple(zip(("PyTorch", report.variant), excerpts(change), strict=True))
        yield ShownChange(report.variant, change, labels.index(change.label), sides)

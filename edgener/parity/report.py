"""The parity report of a bundle: JSON, Markdown, and the entity diff of each variant."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from edgener.parity.measures.diff import KINDS, Bucket, to_jsonl
from edgener_runtime.base.tables import markdown_table

from .bootstrap import LEVEL, Estimate
from .compare import ParityReport
from .figures import LabelFigures
from .gate import explain

PARITY_JSON, PARITY_MD, DIFF = "parity.json", "parity.md", "diff"
COLUMNS = ("variant", "F1", "against PyTorch", "churn", "batch effect", "equal labels", "verdict")


def write_reports(reports: Sequence[ParityReport], folder: Path, texts: bool = True) -> None:
    """Write parity.json, parity.md and, with `texts`, a file per variant with the changed sentences into a folder."""
    records = [report.record() for report in reports]
    (folder / PARITY_JSON).write_text(json.dumps(records, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    (folder / PARITY_MD).write_text(markdown(reports), encoding="utf-8")
    if not texts:
        return
    (folder / DIFF).mkdir()
    for report in reports:
        (folder / DIFF / f"{report.variant}.jsonl").write_text(to_jsonl(report.changes), encoding="utf-8")


def row(report: ParityReport) -> tuple[str, ...]:
    """The figures of one variant as table cells, each with its interval."""
    found = report.estimates
    return (
        report.variant,
        "-" if found.overall.f1 is None else f"{found.overall.f1:.4f}",
        _shown(found.overall.f1_difference, "{:+z.4f}"),
        _shown(found.overall.churn, "{:.2%}"),
        _shown(found.batch_effect, "{:.2%}"),
        _shown(found.equal_labels, "{:.3%}"),
        report.verdict.value,
    )


def markdown(reports: Sequence[ParityReport]) -> str:
    """Verdicts and figures of all variants, then the details of each."""
    return "\n".join(line for part in (_summary(reports), *map(_details, reports)) for line in part) + "\n"


def _summary(reports: Sequence[ParityReport]) -> Iterator[str]:
    first = reports[0]
    figures, found = first.figures, first.estimates
    yield from ("# Parity with PyTorch", "")
    yield (
        f"Measured through edgener_runtime on {first.data}, on a CPU with {first.isa}: {figures.sentences} sentences, "
        f"{figures.tokens} tokens, {found.overall.gold} gold entities, {found.overall.entities} that PyTorch finds. "
        f"Intervals are at {LEVEL:.0%}, from {found.resamples} resamples of {found.units} {found.unit}s. "
        f"Labels are in the scheme {first.scheme}."
    )
    yield from ("", markdown_table(COLUMNS, map(row, reports)))
    yield (
        "Churn: entities that differ from PyTorch's. Batch effect: entities that change between a text alone, padded "
        "and in a batch. Neither needs gold labels, and F1 shows neither."
    )
    yield ""
    for report in reports:
        yield from (f"- {judged.verdict}: {explain(report.variant, judged)}" for judged in report.judgements)


def _details(report: ParityReport) -> Iterator[str]:
    logits, diff = report.logits, report.diff
    calibration = (
        "" if logits.ece is None else f" Calibration error {logits.ece:.4f}, PyTorch's {logits.ece_pytorch:.4f}."
    )
    yield from ("", f"## {report.variant}", "")
    yield (
        f"Logits: largest difference {logits.max_difference:.2g}, mean {logits.mean_difference:.2g}, relative L2 "
        f"{logits.relative_l2:.2g}, KL {logits.kl:.2g} nats per subword.{calibration}"
    )
    tables = [markdown_table(_LABEL_COLUMNS, [_label_row(*label) for label in report.estimates.labels.items()])]
    if report.changes:
        kinds = [(label, *(str(counts.get(kind, 0)) for kind in KINDS)) for label, counts in diff.labels.items()]
        tables.append(markdown_table(("changed entities", *KINDS), kinds))
        tables.append(markdown_table(("tokens in the sentence", "entities", "churn"), _buckets(diff.lengths)))
        tables.append(markdown_table(("unknown subwords", "entities", "churn"), _buckets(diff.unknown)))
    yield from ("", "\n".join(tables).rstrip("\n"))


_LABEL_COLUMNS = ("label", "gold", "F1", "F1 PyTorch", "difference", "PyTorch finds", "churn")


def _label_row(label: str, found: LabelFigures) -> tuple[str, ...]:
    scores = ("-" if score is None else f"{score:.4f}" for score in (found.f1, found.f1_pytorch))
    difference, churn = _shown(found.f1_difference, "{:+z.4f}"), _shown(found.churn, "{:.2%}")
    return (label, str(found.gold), *scores, difference, str(found.entities), churn)


def _buckets(buckets: dict[str, Bucket]) -> list[tuple[str, ...]]:
    return [(name, str(bucket.entities), f"{bucket.churn:.2%}") for name, bucket in buckets.items()]


def _shown(estimate: Estimate | None, template: str) -> str:
    """A figure and its interval, or a dash where there was nothing to measure."""
    if estimate is None:
        return "-"
    value, low, high = (template.format(number) for number in (estimate.value, estimate.low, estimate.high))
    return f"{value} ({low} to {high})"

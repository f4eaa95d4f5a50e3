"""The model card of a bundle as Markdown: what the model finds, what it was trained and measured on, and how well."""

from __future__ import annotations

from collections.abc import Iterator

from edgener.parity.bootstrap import LEVEL
from edgener.parity.report import COLUMNS, row
from edgener_runtime.base.tables import literal, markdown_table

from .evidence import Evidence, build_time

_DATA_COLUMNS = ("use", "data", "sentences", "entities", "SHA-256")
_VARIANT_COLUMNS = ("variant", "precision", "size", "SHA-256")
_LABEL_COLUMNS = ("label", "gold entities", "F1")


def model_card(evidence: Evidence) -> str:
    """The card."""
    parts = (_model, _data, _accuracy, _labels, _limits)
    return "\n".join(line for part in parts for line in part(evidence)).rstrip("\n") + "\n"


def _model(evidence: Evidence) -> Iterator[str]:
    manifest = evidence.manifest
    training = evidence.provenance.get("training")
    base = f", fine-tuned from {literal(training['base_model'])}" if training else ""
    labels = ", ".join(manifest.label_set.types)
    yield from (f"# Model card: {literal(manifest.name)}", "")
    yield f"A named-entity recogniser{base}. It finds these entities in text: {literal(labels)}."
    if manifest.architecture:
        untested = ", which no test of edgener covers" if manifest.untested else ""
        yield f"Its architecture is {manifest.architecture}{untested}."
    if time := build_time():
        yield f"Exported on {time:%Y-%m-%d} with edgener {manifest.edgener_version}."
    else:
        yield f"Exported with edgener {manifest.edgener_version}."
    rows = [
        (entry.name, entry.precision, f"{entry.file.size / 1e6:.1f} MB", entry.file.sha256[:12])
        for entry in manifest.variants
    ]
    yield from ("", "## Variants", "", markdown_table(_VARIANT_COLUMNS, rows))


def _data(evidence: Evidence) -> Iterator[str]:
    rows = [
        (data.role, data.title, f"{data.sentences:,}", f"{data.entities:,}", data.sha256[:12]) for data in evidence.data
    ]
    yield from ("## Data", "", markdown_table(_DATA_COLUMNS, rows))
    if not evidence.provenance.get("training"):
        yield from ("The checkpoint has no record of its training, so its training data are not known here.", "")


def _accuracy(evidence: Evidence) -> Iterator[str]:
    first = evidence.reports[0]
    yield from ("## Accuracy", "")
    yield (
        f"Measured through the device's runtime on {literal(first.data)}, on a CPU with {first.isa}: "
        f"{first.figures.sentences:,} sentences. Intervals are at {LEVEL:.0%}."
    )
    yield from ("", markdown_table(COLUMNS, map(row, evidence.reports)))


def _labels(evidence: Evidence) -> Iterator[str]:
    """The F1 of each label: of the first report, as the others are compared with it above."""
    first = evidence.reports[0]
    rows = [
        (label, f"{found.gold:,}", "-" if found.f1 is None else f"{found.f1:.4f}")
        for label, found in first.estimates.labels.items()
    ]
    yield from (f"## By label, {first.variant}", "", markdown_table(_LABEL_COLUMNS, rows))


def _limits(evidence: Evidence) -> Iterator[str]:
    length = evidence.manifest.tokenizer.max_length
    yield from ("## Limits", "")
    yield "- The figures hold for text like that of the evaluation; on other text the model was not measured."
    yield f"- A window has {length} subwords. Longer texts are read in windows that overlap."
    yield "- The score of an entity is the model's own probability; it is not calibrated."
    yield "- Speeds are in `measured.json` where they were measured: they are of one machine."

"""The gate: may this variant ship?"""

from __future__ import annotations

from edgener_exporters.variants import Variant

from .compare import ParityReport


def failures(variant: Variant, report: ParityReport, max_f1_drop: float) -> list[str]:
    """Why a variant is out of bounds: an exact one may change no label, others may lose `max_f1_drop` of F1."""
    figures = report.figures
    changed = round((1 - figures.equal_labels) * figures.tokens)
    if variant.exact and changed:
        return [f"{variant.name} changed {changed} of {figures.tokens} labels, allowed none"]
    if not variant.exact and figures.f1_difference is not None and -figures.f1_difference > max_f1_drop:
        return [f"{variant.name} lost {-figures.f1_difference:.4f} of entity F1, allowed {max_f1_drop:g}"]
    return []

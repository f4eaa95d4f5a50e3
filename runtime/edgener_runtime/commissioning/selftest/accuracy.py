"""Checks of the answers: repeated, against the export's, a reference on this CPU, and another machine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from edgener_runtime.errors import ParityError, UserInputError
from edgener_runtime.golden import check_golden

from .answers import SAME, AnswerComparison, answer_all, band_of, compare
from .context import Outcome, SelftestContext, skip
from .report import Answer, SelftestReport

if TYPE_CHECKING:
    from edgener_runtime.bundle.manifest import VariantEntry

_NEXT = "Try another variant on this device, or export the bundle again."


def repeat(context: SelftestContext) -> Outcome:
    """Run all texts twice. Raises ParityError if an answer changes by more than the order of summation explains."""
    first, again = (answer_all(context.classifier, context.texts) for _ in range(2))
    found = compare(again, first, SAME)
    if found.differing > found.undecided or found.largest > SAME:
        raise ParityError(
            f"in a second run {found.differing} of {found.subwords} labels changed, and logits by {found.largest:.2g}",
            _NEXT,
        )
    context.answers = first
    return Outcome(f"{len(first)} texts, {found.subwords} subwords: the same twice, within {found.largest:.2g}")


def golden(context: SelftestContext) -> Outcome:
    """Compare the answers to the golden vectors with those of the export. Raises ParityError where one differs."""
    known, found = context.variant.golden, check_golden(context.classifier)
    if known is None or found is None:
        return skip(f"{context.variant.name} has no golden vectors: the bundle was exported before there were any")
    untested = f"; none has {', '.join(found.untested)}" if found.untested else ""
    return Outcome(
        f"{found.vectors} texts have the answers of the export: logits of half of them within {found.median:.2g} "
        f"({known.band:g} allowed), of all within {found.largest:.2g} ({known.limit:g} allowed){untested}",
        {"largest_golden_difference": found.largest},
    )


def labels(context: SelftestContext) -> Outcome:
    """Compare the labels with the reference on this CPU. Raises ParityError if one differs that is not near a tie."""
    if context.reference is None:
        return skip(context.why_no_reference)
    name, answers = context.reference
    return _labels_of(context, answers, f"{name} on this CPU")


def logits(context: SelftestContext) -> Outcome:
    """Compare the logits with the reference on this CPU. Raises ParityError if one is outside its band."""
    if context.reference is None:
        return skip(context.why_no_reference)
    name, answers = context.reference
    return _logits_of(context, answers, f"{name} on this CPU")


def against(context: SelftestContext) -> Outcome:
    """Compare labels and logits with another machine's. Raises ParityError, or UserInputError for other texts or a
    variant that cannot be the reference of this one."""
    report = context.request.against
    if report is None:
        return skip("no other machine's report was given (--against)")
    _require_reference(context.variant, report)
    other = f"{report.variant} on {report.machine.name}"
    found = (_labels_of(context, report.answers, other), _logits_of(context, report.answers, other))
    figures = {f"against_{name}": value for outcome in found for name, value in outcome.figures.items()}
    return Outcome("; ".join(outcome.detail for outcome in found), figures)


def _require_reference(variant: VariantEntry, report: SelftestReport) -> None:
    """Require the same model, or FP32: another quantised model is a reference only for itself."""
    if report.precision == "fp32" or report.model in (None, variant.file.sha256):
        return
    raise UserInputError(
        f"the other machine's report is of {report.variant}, which cannot be the reference of {variant.name}",
        f"Make one there of this variant or of FP32: edgener-runtime selftest BUNDLE --variant {variant.name}",
    )


def _labels_of(context: SelftestContext, known: Sequence[Answer], reference: str) -> Outcome:
    found = compare(context.answers, known, band_of(context.variant))
    wrong = found.differing - found.undecided
    summary = f"{_agreeing(found)} of {found.subwords} labels are those of {reference}"
    if wrong:
        raise ParityError(f"{summary}; {wrong} of the others were not near a tie", _NEXT)
    ties = f"; {found.undecided} were near a tie" if found.undecided else ""
    return Outcome(summary + ties, {"equal_labels": _agreeing(found) / max(1, found.subwords)})


def _logits_of(context: SelftestContext, known: Sequence[Answer], reference: str) -> Outcome:
    band = band_of(context.variant)
    found = compare(context.answers, known, band)
    summary = f"logits within {found.largest:.2g} of {reference}, {band:.2g} allowed"
    if found.largest > band:
        raise ParityError(summary, _NEXT)
    return Outcome(summary, {"largest_logit_difference": found.largest})


def _agreeing(found: AnswerComparison) -> int:
    return found.subwords - found.differing

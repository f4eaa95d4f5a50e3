"""Checks of what is answered: the same again, as on this CPU, and as on another machine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from edgener_runtime.errors import ParityError, UserInputError

from .answers import SAME, Comparison, answer_all, band_of, compare
from .context import Bench, Outcome, skip
from .report import Answer, SelftestReport

if TYPE_CHECKING:
    from edgener_runtime.bundle.manifest import VariantEntry

_NEXT = "Try another variant on this device, or export the bundle again."


def repeat(bench: Bench) -> Outcome:
    """Ask all texts twice. Raises ParityError where an answer changes by more than the order of sums gives."""
    first, again = (answer_all(bench.classifier, bench.texts) for _ in range(2))
    found = compare(again, first, SAME)
    if found.differing > found.undecided or found.largest > SAME:
        raise ParityError(
            f"asked again, {found.differing} of {found.subwords} labels changed, and logits by {found.largest:.2g}",
            _NEXT,
        )
    bench.answers = first
    return Outcome(f"{len(first)} texts, {found.subwords} subwords: twice the same, within {found.largest:.2g}")


def labels(bench: Bench) -> Outcome:
    """Hold the labels against the reference on this CPU. Raises ParityError where a decided one differs."""
    if bench.reference is None:
        return skip(bench.why_no_reference)
    name, answers = bench.reference
    return _labels_of(bench, answers, f"{name} on this CPU")


def logits(bench: Bench) -> Outcome:
    """Hold the logits against the reference on this CPU. Raises ParityError where one is out of its band."""
    if bench.reference is None:
        return skip(bench.why_no_reference)
    name, answers = bench.reference
    return _logits_of(bench, answers, f"{name} on this CPU")


def against(bench: Bench) -> Outcome:
    """Hold labels and logits against another machine's. Raises ParityError, or UserInputError for other texts or a
    variant that is no reference for this one."""
    report = bench.request.against
    if report is None:
        return skip("no other machine's report was given (--against)")
    _require_reference(bench.variant, report)
    other = f"{report.variant} on {report.machine.name}"
    found = (_labels_of(bench, report.answers, other), _logits_of(bench, report.answers, other))
    figures = {f"against_{name}": value for outcome in found for name, value in outcome.figures.items()}
    return Outcome("; ".join(outcome.detail for outcome in found), figures)


def _require_reference(variant: VariantEntry, report: SelftestReport) -> None:
    """The same model, or FP32: another one that was quantised is right about its own labels alone."""
    if report.precision == "fp32" or report.model in (None, variant.file.sha256):
        return
    raise UserInputError(
        f"the other machine's report is of {report.variant}, which is no reference for {variant.name}",
        f"Make one there of this variant or of FP32: edgener-runtime selftest BUNDLE --variant {variant.name}",
    )


def _labels_of(bench: Bench, known: Sequence[Answer], reference: str) -> Outcome:
    found = compare(bench.answers, known, band_of(bench.variant))
    wrong = found.differing - found.undecided
    told = f"{_agreeing(found)} of {found.subwords} labels are those of {reference}"
    if wrong:
        raise ParityError(f"{told}; {wrong} of the others were not near a tie", _NEXT)
    ties = f"; {found.undecided} were near a tie" if found.undecided else ""
    return Outcome(told + ties, {"equal_labels": _agreeing(found) / max(1, found.subwords)})


def _logits_of(bench: Bench, known: Sequence[Answer], reference: str) -> Outcome:
    band = band_of(bench.variant)
    found = compare(bench.answers, known, band)
    told = f"logits within {found.largest:.2g} of {reference}, {band:.2g} allowed"
    if found.largest > band:
        raise ParityError(told, _NEXT)
    return Outcome(told, {"largest_logit_difference": found.largest})


def _agreeing(found: Comparison) -> int:
    return found.subwords - found.differing

"""The gate of a variant: pass, fail, or inconclusive where the text is too short."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from edgener_exporters.variants import Variant

from .bootstrap import Estimate
from .budgets import EACH, LOSSES, NO_LABEL, Budget
from .figures import VariantFigures

_MOST_NEEDED = 1_000_000  # entities; larger labelled sets are not realistic
_SAME = 1e-12
_NO_GOLD = "the text has no such entity"


class Verdict(StrEnum):
    """The verdict on a variant's figures."""

    PASS = "pass"  # noqa: S105 - a verdict
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


EXIT_CODES = {Verdict.PASS: 0, Verdict.FAIL: 3, Verdict.INCONCLUSIVE: 4}


@dataclass(frozen=True)
class Judgement:
    """The comparison of one budget with the measured loss.

    `loss` is None where nothing could be measured. `needed` is the number of entities for a verdict where `entities`
    are too few; None where no realistic text is enough.
    """

    figure: str
    label: str | None
    limit: float
    loss: Estimate | None
    verdict: Verdict
    entities: int
    needed: int | None = None


def judge(variant: Variant, figures: VariantFigures, budgets: Sequence[Budget]) -> tuple[Judgement, ...]:
    """Judge a variant's figures by its budgets; an exact variant must not change a label and has no other budget.

    The distance from PyTorch under a mask must not be much larger than that of the same subwords without one.
    """
    masks = [Budget("masks", found.limit, mask) for mask, found in figures.masks.items()]
    own = (NO_LABEL,) if variant.exact else budgets
    return judge_figures(figures, (*own, *masks))


def judge_figures(figures: VariantFigures, budgets: Sequence[Budget]) -> tuple[Judgement, ...]:
    """Judge figures by each of the budgets."""
    return tuple(judgement for budget in budgets for judgement in _judgements(budget, figures))


def overall(judgements: Sequence[Judgement]) -> Verdict:
    """The worst verdict: fail before inconclusive before pass."""
    found = {judgement.verdict for judgement in judgements}
    return next((verdict for verdict in (Verdict.FAIL, Verdict.INCONCLUSIVE) if verdict in found), Verdict.PASS)


def _judgements(budget: Budget, figures: VariantFigures) -> Iterator[Judgement]:
    loss = LOSSES[budget.figure]
    for label in figures.labels if budget.label == EACH else (budget.label,):
        estimate, found = loss.estimate(figures, label), figures.labels.get(label or "", figures.overall)
        entities = found.gold if loss.needs_gold else found.entities
        verdict = verdict_of(estimate, budget.limit)
        needed = None
        if estimate and verdict is Verdict.INCONCLUSIVE:
            needed = entities_needed(estimate, budget.limit, entities)
        yield Judgement(budget.figure, label, budget.limit, estimate, verdict, entities, needed)


def verdict_of(loss: Estimate | None, limit: float) -> Verdict:
    """Pass where the whole interval is within the limit, fail where none of it is, else inconclusive.

    A limit of 0 means no loss on this text; no interval from a finite text could show that for all text.
    """
    if loss is None:
        return Verdict.INCONCLUSIVE
    if limit == 0:
        return Verdict.PASS if loss.value <= _SAME else Verdict.FAIL
    if loss.high <= limit:
        return Verdict.PASS
    return Verdict.FAIL if loss.low > limit else Verdict.INCONCLUSIVE


def entities_needed(loss: Estimate, limit: float, entities: int) -> int | None:
    """About how many entities bring an interval to one side of the limit, or None for more than a million.

    A standard error shrinks with the root of the count, and so does the arm of the interval that reaches over the
    limit: `arm * sqrt(entities / needed) = |limit - value|`, hence `needed = entities * (arm / |limit - value|)**2`,
    rounded up to two digits. A value on the limit needs infinitely many.
    """
    room = limit - loss.value
    arm = loss.high - loss.value if room > 0 else loss.value - loss.low
    if not room or (needed := entities * (arm / room) ** 2) > _MOST_NEEDED:
        return None
    digit = int(10 ** max(0, math.floor(math.log10(max(1, needed))) - 1))
    return math.ceil(needed / digit) * digit


def explain(variant: str, judgement: Judgement) -> str:
    """One line of text: the loss, the budget, and the number of entities for a verdict."""
    loss, found = LOSSES[judgement.figure], judgement.loss
    of = loss.of.format(judgement.label) if judgement.label else ""
    if found is None:
        no_gold = loss.needs_gold and not judgement.entities
        return f"{variant}: {loss.option}{of} cannot be judged, {_NO_GOLD if no_gold else loss.unmeasured}"
    lost, low, high, limit = (
        loss.template.format(value) for value in (found.value, found.low, found.high, judgement.limit)
    )
    interval = f" ({low} to {high})" if low != high else ""
    line = f"{variant} {loss.sentence.format(lost)}{of}{interval}, allowed {limit if judgement.limit else 'none'}"
    if judgement.verdict is not Verdict.INCONCLUSIVE:
        return line
    enough = f"about {judgement.needed:,} are enough" if judgement.needed else "even a million are too few"
    return f"{line}; {judgement.entities:,} entities are too few for a verdict, {enough}"

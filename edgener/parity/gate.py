"""The gate: may this variant ship? Pass, fail, or too little text to tell."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from edgener_exporters.variants import Variant

from .bootstrap import Estimate
from .budgets import EACH, LOSSES, NO_LABEL, Budget
from .figures import VariantFigures

_MOST_NEEDED = 1_000_000  # entities; nobody labels more
_SAME = 1e-12
_NO_GOLD = "the text has no such entity"


class Verdict(StrEnum):
    """What a variant's figures say of its budgets."""

    PASS = "pass"
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


EXIT_CODES = {Verdict.PASS: 0, Verdict.FAIL: 3, Verdict.INCONCLUSIVE: 4}


@dataclass(frozen=True)
class Judgement:
    """One budget held against what was measured.

    `loss` is None where nothing could be measured. `needed` is how many entities would tell where `entities` do not;
    None where no text would, or none that anybody labels.
    """

    figure: str
    label: str | None
    limit: float
    loss: Estimate | None
    verdict: Verdict
    entities: int
    needed: int | None = None


def judge(variant: Variant, figures: VariantFigures, budgets: Sequence[Budget]) -> tuple[Judgement, ...]:
    """Hold a variant's figures against its budgets; an exact variant may change no label, and need keep no other.

    No variant may stray much farther from PyTorch under a mask than the same subwords do without.
    """
    masks = [Budget("masks", found.limit, mask) for mask, found in figures.masks.items()]
    asked = (NO_LABEL,) if variant.exact else budgets
    return tuple(judgement for budget in (*asked, *masks) for judgement in _judgements(budget, figures))


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
    """Pass where the whole interval keeps the limit, fail where none of it does, else inconclusive.

    A limit of 0 is a demand on this very text, that nothing be lost on it: no interval from a finite text could ever
    show that of all text.
    """
    if loss is None:
        return Verdict.INCONCLUSIVE
    if limit == 0:
        return Verdict.PASS if loss.value <= _SAME else Verdict.FAIL
    if loss.high <= limit:
        return Verdict.PASS
    return Verdict.FAIL if loss.low > limit else Verdict.INCONCLUSIVE


def entities_needed(loss: Estimate, limit: float, entities: int) -> int | None:
    """About how many entities would bring an interval to one side of the limit, or None where a million would not.

    A standard error shrinks with the root of the count, and so does the arm of the interval that reaches over the
    limit: `arm * sqrt(entities / needed) = |limit - value|`, hence `needed = entities * (arm / |limit - value|)**2`,
    rounded up to two digits. A value on the limit stays there however much text there is.
    """
    room = limit - loss.value
    arm = loss.high - loss.value if room > 0 else loss.value - loss.low
    if not room or (needed := entities * (arm / room) ** 2) > _MOST_NEEDED:
        return None
    digit = int(10 ** max(0, math.floor(math.log10(max(1, needed))) - 1))
    return math.ceil(needed / digit) * digit


def explain(variant: str, judgement: Judgement) -> str:
    """One line for a person: what was lost, what was allowed, and what would tell."""
    loss, found = LOSSES[judgement.figure], judgement.loss
    of = loss.of.format(judgement.label) if judgement.label else ""
    if found is None:
        nobody = loss.needs_gold and not judgement.entities
        return f"{variant}: {loss.option}{of} cannot be judged, {_NO_GOLD if nobody else loss.unmeasured}"
    lost, low, high, limit = (
        loss.form.format(value) for value in (found.value, found.low, found.high, judgement.limit)
    )
    interval = f" ({low} to {high})" if low != high else ""
    line = f"{variant} {loss.sentence.format(lost)}{of}{interval}, allowed {limit if judgement.limit else 'none'}"
    if judgement.verdict is not Verdict.INCONCLUSIVE:
        return line
    enough = f"about {judgement.needed:,} would" if judgement.needed else "nor would a million"
    return f"{line}; {judgement.entities:,} entities are too few to tell, {enough}"

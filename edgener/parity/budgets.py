"""Budgets: the largest loss of each figure that a variant may have."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edgener_runtime.errors import UserInputError

from .bootstrap import Estimate
from .figures import VariantFigures

EACH = "each"


@dataclass(frozen=True)
class Loss:
    """A figure with a budget: its option, its wording, and its estimate, for one label or over all.

    `unmeasured` is the reason for a missing estimate where the text has the required entities.
    """

    option: str
    sentence: str
    template: str
    estimate: Callable[[VariantFigures, str | None], Estimate | None]
    needs_gold: bool = False
    by_label: bool = True
    of: str = " of {}"
    unmeasured: str = "PyTorch finds no such entity in the text"


def _f1_drop(figures: VariantFigures, label: str | None) -> Estimate | None:
    found = figures.of(label)
    return -found.f1_difference if found.f1_difference and found.f1_pytorch else None


def _f1_lost(figures: VariantFigures, label: str | None) -> Estimate | None:
    """Also of a model before an update that gets nothing right: it has nothing to lose."""
    found = figures.of(label).f1_difference
    return -found if found else None


def _f1_share(figures: VariantFigures, label: str | None) -> Estimate | None:
    share = figures.of(label).f1_kept
    return 1 - share if share else None


def _changed_labels(figures: VariantFigures, _: str | None) -> Estimate | None:
    return 1 - figures.equal_labels if figures.equal_labels else None


def _mask_deviation(figures: VariantFigures, mask: str | None) -> Estimate | None:
    return Estimate(*[figures.masks[mask].masked] * 3) if mask else None


_NONE_RIGHT = "PyTorch gets no such entity right"

LOSSES = {
    "f1_drop": Loss(
        "--max-f1-drop", "lost {} of entity F1", "{:z.4f}", _f1_drop, needs_gold=True, unmeasured=_NONE_RIGHT
    ),
    "update_f1_drop": Loss("--max-f1-drop", "lost {} of entity F1", "{:z.4f}", _f1_lost, needs_gold=True),
    "f1_share": Loss(
        "--gate", "lost {} of PyTorch's entity F1", "{:z.2%}", _f1_share, needs_gold=True, unmeasured=_NONE_RIGHT
    ),
    "churn": Loss(
        "--max-churn", "changed {} of the entities", "{:.2%}", lambda figures, label: figures.of(label).churn
    ),
    "batch_effect": Loss(
        "--max-batch-effect",
        "changed {} of the entities with the batch",
        "{:.2%}",
        lambda figures, _: figures.batch_effect,
        by_label=False,
        unmeasured="the variant finds no entity in the text",
    ),
    "labels": Loss(
        "an exact variant", "changed {} of the labels", "{:.4%}", _changed_labels, unmeasured="the text has no token"
    ),
    "masks": Loss("a mask", "moved the logits by {}", "{:.1%}", _mask_deviation, of=" under {} masks"),
}


@dataclass(frozen=True)
class Budget:
    """The largest loss (0 to 1) of a figure of LOSSES: over all labels, for one label, or for `each`."""

    figure: str
    limit: float
    label: str | None = None


DEFAULT_BUDGET = Budget("f1_drop", 0.005)
UPDATE_BUDGET = Budget("update_f1_drop", 0.01)
NO_LABEL = Budget("labels", 0.0)  # the budget of exact variants


def parse_budget(figure: str, text: str) -> Budget:
    """The budget of an option's value: `0.01`, `PER=0.01`, `each=0.01`; for `--gate` the percentage to retain.

    Raises UserInputError.
    """
    label, _, number = text.rpartition("=")
    option, is_share = LOSSES[figure].option, figure == "f1_share"
    try:
        value = float(number)
    except ValueError:
        expected = "99 or PER=99.9" if is_share else "0.01 or PER=0.01"
        raise UserInputError(f"{option} is {text!r}", f"Expected a number such as {expected}") from None
    if is_share and not 50 <= value <= 100:
        raise UserInputError(f"{option} is {number} %", "Expected a percentage from 50 to 100 such as 99 or 99.9")
    return Budget(figure, round(1 - value / 100, 12) if is_share else value, label or None)


def budget_text(budget: Budget) -> str:
    """A budget in the format of parse_budget."""
    value = 100 * (1 - budget.limit) if budget.figure == "f1_share" else budget.limit
    return f"{budget.label}={value:.10g}" if budget.label else f"{value:.10g}"


def with_default(budgets: Sequence[Budget], has_gold: bool, default: Budget = DEFAULT_BUDGET) -> tuple[Budget, ...]:
    """The budgets, with the default one where the text has entities and no budget is for F1."""
    has_f1 = any(LOSSES[budget.figure].needs_gold and budget.label is None for budget in budgets)
    return tuple(budgets) if has_f1 or not has_gold else (default, *budgets)


def check_budgets(budgets: Sequence[Budget], labels: Sequence[str], has_gold: bool, text: str) -> None:
    """Raise UserInputError for budgets that cannot be judged on `text`."""
    if not budgets:
        raise UserInputError(f"there is no budget to judge on {text}", "Give one: --max-churn 0.01")
    for budget in budgets:
        loss = LOSSES[budget.figure]
        if not 0 <= budget.limit <= 1:
            raise UserInputError(f"{loss.option} is {budget.limit}, expected a share from 0 to 1")
        if budget.label not in (None, EACH, *labels) or (budget.label and not loss.by_label):
            raise UserInputError(
                f"{loss.option} names the label {budget.label!r}",
                f"Known labels: {', '.join(labels)}" if loss.by_label else "It applies to all labels.",
            )
        if loss.needs_gold and not has_gold:
            raise UserInputError(
                f"{text} has no entities for the F1 of {loss.option}",
                "Name labelled text with --data and --split, or judge without it: --max-churn 0.01",
            )

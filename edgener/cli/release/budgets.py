"""The options of the gate, shared by the commands that judge variants."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import click

from edgener.parity.budgets import LOSSES, Budget, budget_text, parse_budget

_HELP = {
    "f1_drop": "Largest loss of entity F1 [default: 0.005 for text with entities and without --gate].",
    "f1_share": "Percentage of PyTorch's entity F1 to retain: 99 or 99.9.",
    "churn": "Largest share of entities that differ from PyTorch's.",
    "batch_effect": "Largest share of entities that change between a text alone, padded and in a batch.",
}


def budget_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of LOSSES; the command receives them as `budgets: tuple[Budget, ...]`."""

    @wraps(command)
    def with_budgets(**options: Any) -> Any:
        budgets = tuple(parse_budget(figure, text) for figure in _HELP for text in options.pop(figure))
        return command(budgets=budgets, **options)

    decorated: Callable[..., Any] = with_budgets
    for figure, text in reversed(_HELP.items()):
        loss = LOSSES[figure]
        metavar = "[LABEL=]NUMBER" if loss.by_label else "NUMBER"
        again = " Repeatable by LABEL, or each=NUMBER." if loss.by_label else ""
        decorated = click.option(loss.option, figure, multiple=True, metavar=metavar, help=text + again)(decorated)
    return decorated


def budget_settings(budgets: Sequence[Budget]) -> list[tuple[str, str]]:
    """The options that set these budgets, with their values."""
    return [(LOSSES[budget.figure].option.removeprefix("--"), budget_text(budget)) for budget in budgets]

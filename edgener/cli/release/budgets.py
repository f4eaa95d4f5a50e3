"""The options of the gate, which commands that judge variants share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import click

from edgener.parity.budgets import LOSSES, Budget, budget_text, parse_budget

_HELP = {
    "f1_drop": "Entity F1 that may be lost [default: 0.005 where the text has entities and --gate is not given].",
    "f1_share": "Percentage of PyTorch's entity F1 to keep: 99 or 99.9.",
    "churn": "Share of entities that may differ from PyTorch's.",
    "batch_effect": "Share of entities that may change between a text alone, padded and beside others.",
}


def budget_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options of LOSSES, and hands the command `budgets: tuple[Budget, ...]`."""

    @wraps(command)
    def with_budgets(**options: Any) -> Any:
        budgets = tuple(parse_budget(figure, text) for figure in _HELP for text in options.pop(figure))
        return command(budgets=budgets, **options)

    decorated: Callable[..., Any] = with_budgets
    for figure, text in reversed(_HELP.items()):
        loss = LOSSES[figure]
        form = "[LABEL=]NUMBER" if loss.by_label else "NUMBER"
        again = " Again by LABEL, or each=NUMBER." if loss.by_label else ""
        decorated = click.option(loss.option, figure, multiple=True, metavar=form, help=text + again)(decorated)
    return decorated


def budget_settings(budgets: Sequence[Budget]) -> list[tuple[str, str]]:
    """The options that set these budgets, with their values."""
    return [(LOSSES[budget.figure].option.removeprefix("--"), budget_text(budget)) for budget in budgets]

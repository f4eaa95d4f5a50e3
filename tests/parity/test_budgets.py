"""Budgets as they are typed, and those that could not be judged."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgener.parity.budgets import DEFAULT_BUDGET, Budget, budget_text, check_budgets, parse_budget, with_default
from edgener_runtime.errors import UserInputError

LABELS = ("LOC", "PER")


@pytest.mark.parametrize(
    ("figure", "text", "budget"),
    [
        ("f1_drop", "0.005", Budget("f1_drop", 0.005)),
        ("churn", "PER=0.02", Budget("churn", 0.02, "PER")),
        ("churn", "each=0", Budget("churn", 0.0, "each")),
        ("f1_share", "99", Budget("f1_share", 0.01)),
        ("f1_share", "PER=99.9", Budget("f1_share", 0.001, "PER")),
        ("f1_share", "100", Budget("f1_share", 0.0)),
        ("churn", "A=B=0.5", Budget("churn", 0.5, "A=B")),
        ("churn", "设备=1e-3", Budget("churn", 0.001, "设备")),
    ],
)
def test_a_budget_is_read_as_it_is_typed_and_written_so_again(figure: str, text: str, budget: Budget) -> None:
    assert parse_budget(figure, text) == budget
    assert parse_budget(figure, budget_text(budget)) == budget


@given(st.floats(0, 1), st.sampled_from(["churn", "f1_drop", "batch_effect"]))
def test_limits_survive_being_written(limit: float, figure: str) -> None:
    assert parse_budget(figure, budget_text(Budget(figure, limit))).limit == pytest.approx(limit, rel=1e-9)


@pytest.mark.parametrize("text", ["", "x", "PER", "PER=", "1%", "0,01"])
def test_what_is_not_a_number_is_refused(text: str) -> None:
    with pytest.raises(UserInputError, match="--max-churn is"):
        parse_budget("churn", text)


@pytest.mark.parametrize("text", ["0.99", "49", "101", "nan", "-99"])
def test_a_percentage_that_can_only_be_a_slip_is_refused(text: str) -> None:
    with pytest.raises(UserInputError, match="--gate is") as caught:
        parse_budget("f1_share", text)
    assert "such as 99 or 99.9" in str(caught.value.hint)


def check(*budgets: Budget, has_gold: bool = True) -> None:
    check_budgets(budgets, LABELS, has_gold, "mine.txt (test)")


@pytest.mark.parametrize("limit", [-0.1, 1.1, float("nan"), float("inf")])
def test_a_limit_that_is_not_a_share_is_refused(limit: float) -> None:
    with pytest.raises(UserInputError, match="expected a share from 0 to 1"):
        check(Budget("churn", limit))


@pytest.mark.parametrize("limit", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("label", [None, "each", "PER"])
def test_shares_of_all_labels_of_each_or_of_one_are_fine(limit: float, label: str | None) -> None:
    check(Budget("churn", limit, label), Budget("f1_drop", limit, label))


def test_an_unknown_label_is_named_with_those_it_has() -> None:
    with pytest.raises(UserInputError, match="names the label 'ORG'") as caught:
        check(Budget("churn", 0.1, "ORG"))
    assert "LOC, PER" in str(caught.value.hint)


def test_the_batch_effect_has_no_label() -> None:
    with pytest.raises(UserInputError, match="--max-batch-effect names the label 'PER'"):
        check(Budget("batch_effect", 0.1, "PER"))


@pytest.mark.parametrize("figure", ["f1_drop", "f1_share"])
def test_f1_cannot_be_judged_on_text_without_entities(figure: str) -> None:
    with pytest.raises(UserInputError, match="has no entities") as caught:
        check(Budget(figure, 0.1), has_gold=False)
    assert "--max-churn" in str(caught.value.hint)


def test_text_without_entities_needs_a_budget() -> None:
    with pytest.raises(UserInputError, match="no budget to judge"):
        check(*with_default((), has_gold=False), has_gold=False)
    check(Budget("churn", 0.1), has_gold=False)


@pytest.mark.parametrize(
    ("given_", "default"),
    [
        ((), True),
        ((Budget("churn", 0.1),), True),
        ((Budget("f1_drop", 0.1, "PER"),), True),
        ((Budget("f1_drop", 0.1),), False),
        ((Budget("f1_share", 0.01),), False),
    ],
)
def test_f1_is_always_judged_where_there_are_entities(given_: tuple[Budget, ...], default: bool) -> None:
    assert (DEFAULT_BUDGET in with_default(given_, has_gold=True)) is default
    assert with_default(given_, has_gold=False) == given_

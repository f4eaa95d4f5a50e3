"""Verdicts: what passes, what fails, what is inconclusive, and how much text is enough."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from edgener.parity.bootstrap import Estimate
from edgener.parity.budgets import Budget
from edgener.parity.figures import LabelFigures, VariantFigures
from edgener.parity.gate import Judgement, Verdict, entities_needed, explain, judge, overall, verdict_of
from edgener.parity.measures.masks import MaskDeviation
from edgener_exporters.variants import VARIANTS

INT8, FP32 = VARIANTS["int8-dynamic"], VARIANTS["fp32"]
PASS, FAIL, INCONCLUSIVE = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE


def label_figures(**changes: Estimate | float | None) -> LabelFigures:
    figures = LabelFigures(
        gold=1000, entities=1100, f1=0.9, f1_pytorch=0.901,
        f1_difference=Estimate(-0.001, -0.004, 0.002), f1_kept=Estimate(0.9989, 0.9956, 1.0022),
        churn=Estimate(0.02, 0.015, 0.027),
    )  # fmt: skip
    return replace(figures, **changes)


FIGURES = VariantFigures(
    overall=label_figures(),
    labels={"PER": label_figures(churn=Estimate(0.01, 0.0, 0.05)), "LOC": label_figures()},
    equal_labels=Estimate(0.997, 0.996, 0.998),
    batch_effect=Estimate(0.021, 0.017, 0.026),
    masks={
        "right-padded": MaskDeviation(0.03, 0.03),
        "left-padded": MaskDeviation(0.04, 0.03),
        "holed": MaskDeviation(0.02, 0.03),
    },
    unit="sentence",
    units=500,
)


def verdicts(*budgets: Budget, figures: VariantFigures = FIGURES) -> dict[tuple[str, str | None], Verdict]:
    found = judge(INT8, figures, budgets)
    return {(judged.figure, judged.label): judged.verdict for judged in found if judged.figure != "masks"}


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (-0.01, 0.004, PASS),
        (-0.01, 0.005, PASS),  # the whole interval keeps the limit
        (0.006, 0.02, FAIL),
        (0.0051, 0.02, FAIL),
        (0.005, 0.02, INCONCLUSIVE),
        (-0.01, 0.0051, INCONCLUSIVE),
    ],
)
def test_the_whole_interval_decides(low: float, high: float, verdict: Verdict) -> None:
    assert verdict_of(Estimate((low + high) / 2, low, high), 0.005) is verdict


@pytest.mark.parametrize(("value", "verdict"), [(0.0, PASS), (-0.01, PASS), (1e-5, FAIL)])
def test_a_limit_of_zero_is_a_demand_on_this_very_text(value: float, verdict: Verdict) -> None:
    assert verdict_of(Estimate(value, value - 0.01, value + 0.01), 0) is verdict


def test_what_cannot_be_measured_is_inconclusive() -> None:
    assert verdict_of(None, 0.5) is INCONCLUSIVE
    assert verdict_of(None, 0) is INCONCLUSIVE


# --- which figure


@pytest.mark.parametrize(
    ("budget", "verdict"),
    [
        (Budget("f1_drop", 0.005), PASS),  # at most 0.004 was lost
        (Budget("f1_drop", 0.003), INCONCLUSIVE),
        (Budget("f1_share", 0.01), PASS),  # at most 0.44 % was lost
        (Budget("f1_share", 0.001), INCONCLUSIVE),
        (Budget("churn", 0.03), PASS),
        (Budget("churn", 0.01), FAIL),
        (Budget("churn", 0.02), INCONCLUSIVE),
        (Budget("churn", 0.01, "PER"), INCONCLUSIVE),
        (Budget("batch_effect", 0.03), PASS),
        (Budget("batch_effect", 0.01), FAIL),
    ],
)
def test_each_budget_is_compared_with_its_figure(budget: Budget, verdict: Verdict) -> None:
    assert verdicts(budget) == {(budget.figure, budget.label): verdict}


def test_each_stands_for_every_label() -> None:
    assert verdicts(Budget("churn", 0.03, "each")) == {("churn", "PER"): INCONCLUSIVE, ("churn", "LOC"): PASS}


def test_a_label_without_entities_is_inconclusive_and_says_so() -> None:
    nobody = replace(FIGURES, labels={"PER": LabelFigures(0, 0, None, None, None, None, None)})
    for budget in (Budget("f1_drop", 0.01, "PER"), Budget("f1_share", 0.01, "PER"), Budget("churn", 0.01, "PER")):
        (judged, *_) = judge(INT8, nobody, [budget])
        assert (judged.verdict, judged.loss, judged.needed) == (INCONCLUSIVE, None, None)
        assert "of PER cannot be judged" in explain("int8", judged)


def test_where_pytorch_itself_finds_nothing_there_is_nothing_to_keep() -> None:
    useless = label_figures(f1=0.0, f1_pytorch=0.0, f1_kept=None, f1_difference=Estimate(0.0, -0.001, 0.001))
    figures = replace(FIGURES, overall=useless)
    assert set(verdicts(Budget("f1_drop", 0.1), Budget("f1_share", 0.1), figures=figures).values()) == {INCONCLUSIVE}


def test_an_exact_variant_may_change_no_label_and_need_keep_no_other_budget() -> None:
    (judged, *_) = judge(FP32, FIGURES, [Budget("churn", 0.9)])
    assert (judged.figure, judged.verdict) == ("labels", FAIL)
    same = replace(FIGURES, equal_labels=Estimate(1.0, 0.999, 1.0))
    assert overall(judge(FP32, same, [Budget("churn", 0.0001)])) is PASS


@pytest.mark.parametrize(
    ("plain", "left", "verdict"),
    [(0.06, 0.1, PASS), (0.06, 0.13, FAIL), (1e-6, 1e-6, PASS), (1e-6, 0.019, PASS), (1e-6, 0.03, FAIL)],
)
@pytest.mark.parametrize("variant", [INT8, FP32])
def test_no_variant_strays_much_farther_under_strange_masks(
    plain: float, left: float, verdict: Verdict, variant: object
) -> None:
    figures = replace(FIGURES, masks={"left-padded": MaskDeviation(left, plain)})
    (judged,) = (judged for judged in judge(variant, figures, []) if judged.figure == "masks")  # type: ignore[arg-type]
    assert (judged.label, judged.verdict) == ("left-padded", verdict)


@pytest.mark.parametrize(
    ("found", "worst"),
    [
        ([], PASS),
        ([PASS, PASS], PASS),
        ([PASS, INCONCLUSIVE], INCONCLUSIVE),
        ([INCONCLUSIVE, FAIL, PASS], FAIL),
    ],
)
def test_the_worst_verdict_counts(found: list[Verdict], worst: Verdict) -> None:
    assert overall([Judgement("churn", None, 0.1, None, verdict, 1) for verdict in found]) is worst


# --- how much text is enough


def test_four_times_the_text_halves_the_interval() -> None:
    # 0.004 from value to high, 0.002 from value to limit
    assert entities_needed(Estimate(0.003, -0.001, 0.007), 0.005, 1000) == 4000
    # above the limit, the lower arm has to come above it
    assert entities_needed(Estimate(0.007, 0.003, 0.02), 0.005, 1000) == 4000


def test_it_is_rounded_up_to_two_digits() -> None:
    assert entities_needed(Estimate(0.0, -0.01, 0.0111), 0.01, 1000) == 1300  # 1,232.1


@pytest.mark.parametrize("limit", [0.003, 0.0030001])
def test_on_the_limit_no_amount_of_text_is_enough(limit: float) -> None:
    assert entities_needed(Estimate(0.003, -0.001, 0.007), limit, 1000) is None


@given(st.floats(-0.05, 0.05), st.floats(0.001, 0.05), st.floats(0.001, 0.05), st.floats(0.001, 0.05),
       st.integers(1, 10**5))  # fmt: skip
def test_that_much_text_is_enough(value: float, below: float, above: float, limit: float, entities: int) -> None:
    loss = Estimate(value, value - below, value + above)
    assume(verdict_of(loss, limit) is INCONCLUSIVE)
    needed = entities_needed(loss, limit, entities)
    assume(needed is not None)
    assert needed is not None and needed >= entities
    shrink = (entities / needed) ** 0.5
    later = Estimate(value, value - below * shrink, value + above * shrink)
    assert verdict_of(later, limit + 1e-9 if value < limit else limit - 1e-9) is not INCONCLUSIVE


# --- in words


@pytest.mark.parametrize(
    ("judgement", "words"),
    [
        (
            Judgement("f1_drop", None, 0.005, Estimate(0.0123, 0.0051, 0.02), FAIL, 1000),
            "int8 lost 0.0123 of entity F1 (0.0051 to 0.0200), allowed 0.0050",
        ),
        (
            Judgement("churn", "PER", 0.01, Estimate(0.009, 0.005, 0.012), INCONCLUSIVE, 1000, 9000),
            "int8 changed 0.90% of the entities of PER (0.50% to 1.20%), allowed 1.00%; "
            "1,000 entities are too few for a verdict, about 9,000 are enough",
        ),
        (
            Judgement("f1_share", None, 0.01, Estimate(0.01, 0.0, 0.02), INCONCLUSIVE, 1000),
            "int8 lost 1.00% of PyTorch's entity F1 (0.00% to 2.00%), allowed 1.00%; "
            "1,000 entities are too few for a verdict, even a million are too few",
        ),
        (
            Judgement("labels", None, 0.0, Estimate(0.0002, 0.0, 0.001), FAIL, 10),
            "int8 changed 0.0200% of the labels (0.0000% to 0.1000%), allowed none",
        ),
        (
            Judgement("masks", "left-padded", 0.12, Estimate(0.9, 0.9, 0.9), FAIL, 10),
            "int8 moved the logits by 90.0% under left-padded masks, allowed 12.0%",
        ),
    ],
)
def test_a_verdict_is_explained_in_one_line(judgement: Judgement, words: str) -> None:
    assert explain("int8", judgement) == words

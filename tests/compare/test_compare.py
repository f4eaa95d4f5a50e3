"""Comparisons of results: the pairs of rows, the differences, the slowdowns, and the verdicts of the gate."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgener.compare.compare import NOT_JUDGED, FileComparison, compare
from edgener.compare.differences import ASPECTS
from edgener.compare.wording import lines_below, outcome
from edgener_runtime.commissioning.bench.results.record import BenchResult
from edgener_runtime.errors import UserInputError

from ..bench.made import made_result, made_row, named, not_run, on_another_machine, pair_of

BASE = made_result(made_row(10.0, 1), made_row(20.0, 2, variant="fp32"))
OTHER_BUNDLE = {"bundle_sha256": "3" * 64}


def against(
    base: BenchResult, other: BenchResult, limit: float | None = None, across: tuple[str, ...] = ()
) -> FileComparison:
    return compare(named(base, "a.json"), [named(other)], limit, across).against[0]


def verdicts(base: BenchResult, other: BenchResult, limit: float | None = 0.05) -> list[str]:
    return [row.verdict for row in against(base, other, limit).rows]


def changed(result: BenchResult, **fingerprint: Any) -> BenchResult:
    return replace(result, fingerprint=replace(result.fingerprint, **fingerprint))


# --- which rows


def test_rows_of_the_same_case_are_compared() -> None:
    swapped = made_result(made_row(20.0, 3, variant="fp32"), made_row(10.0, 4))
    found = against(BASE, swapped)
    assert [(row.case.variant, row.other.variant) for row in found.rows] == [("int8-dynamic",) * 2, ("fp32",) * 2]
    assert found.compared == ()
    assert all(outcome(row.slowdown) == "no clear difference" for row in found.rows if row.slowdown)


@pytest.mark.parametrize(
    ("dimension", "ours", "theirs"),
    [("variant", "fp32", "int8-dynamic"), ("threads", 1, 2)],
)
def test_a_dimension_with_one_value_per_result_is_compared_where_no_case_is_in_both(
    dimension: str, ours: Any, theirs: Any
) -> None:
    base, other = (made_result(made_row(ms, 1, **{dimension: value})) for ms, value in ((20.0, ours), (10.0, theirs)))
    found = against(base, other)
    assert found.compared == (dimension,)
    assert found.rows[0].slowdown and 0.48 < found.rows[0].slowdown.value < 0.52


def test_nothing_in_common_is_an_error_that_names_both() -> None:
    with pytest.raises(UserInputError, match=r"b.json has no row .* offline.*; the first has .* single-stream"):
        against(made_result(made_row()), made_result(made_row(scenario="offline")))


def test_a_row_that_is_missing_in_the_other_cannot_be_judged() -> None:
    found = against(BASE, made_result(BASE.rows[0]), 0.05)
    assert [row.verdict for row in found.rows] == ["pass", "inconclusive"]
    assert found.rows[1].reason == "b.json has no such row"


def test_a_row_that_only_the_other_has_is_named_and_not_judged() -> None:
    found = against(made_result(BASE.rows[0]), BASE, 0.05)
    assert len(found.rows) == 1 and [case.variant for case in found.added] == ["fp32"]


def test_a_row_that_no_longer_runs_does_not_pass() -> None:
    broken = made_result(BASE.rows[0], not_run(BASE.rows[1], "out of memory"))
    row = against(BASE, broken, 0.05).rows[1]
    assert (row.verdict, row.reason) == ("inconclusive", "not run (out of memory) in this one")


def test_a_row_that_runs_on_neither_side_is_not_judged() -> None:
    absent = made_result(BASE.rows[0], not_run(BASE.rows[1]))
    assert verdicts(absent, absent) == ["pass", NOT_JUDGED]
    assert compare(named(absent), [named(absent)], 0.05).verdict == "pass"


def test_where_nothing_was_measured_on_both_sides_there_is_no_comparison() -> None:
    with pytest.raises(UserInputError, match=r"no row was measured both .*not run \(no CUDA driver\) in the first"):
        against(made_result(not_run(BASE.rows[0])), made_result(BASE.rows[0]))


def test_an_unknown_scenario_is_refused() -> None:
    row = replace(BASE.rows[0], case=replace(BASE.rows[0].case, scenario="burst"))
    with pytest.raises(UserInputError, match="the scenario 'burst'; known are single-stream"):
        against(made_result(row), made_result(row))


# --- what differs


@pytest.mark.parametrize(
    ("other", "aspect"),
    [
        (replace(BASE, **OTHER_BUNDLE), "bundle"),
        (replace(BASE, edgener_version="0.2.0"), "edgener"),
        (replace(BASE, driver="loadgen"), "load"),
        (replace(BASE, workloads=(replace(BASE.workloads[0], sha256="4" * 64),)), "texts"),
        (changed(BASE, cpu="Xeon"), "machine"),
        (changed(BASE, memory=16 << 30), "machine"),
        (changed(BASE, gpus=("A100",)), "machine"),
        (changed(BASE, kernel="6.6"), "system"),
        (changed(BASE, cores=1), "limits"),
        (changed(BASE, core_limit=1.5), "limits"),
        (changed(BASE, governor="powersave"), "power"),
        (changed(BASE, boost=True), "power"),
        (changed(BASE, power_mode="15W"), "power"),
        (changed(BASE, libraries={"onnxruntime": "1.20.0", "numpy": "2.4.6"}), "libraries"),
        (replace(BASE, rows=(replace(BASE.rows[0], provider="CUDAExecutionProvider"), BASE.rows[1])), "device"),
    ],
)
def test_the_only_difference_is_the_compared_aspect(other: BenchResult, aspect: str) -> None:
    assert against(BASE, other).compared == (aspect,)


def test_every_aspect_can_be_named() -> None:
    assert set(ASPECTS) >= {"machine", "power", "bundle", "libraries", "texts", "variant", "device", "threads"}


@pytest.mark.parametrize(
    "other",
    [
        changed(BASE, memory=(8 << 30) - (1 << 20)),
        on_another_machine(BASE, power_mode=None),
        on_another_machine(BASE, kernel="5.15-tegra", os="Ubuntu", power_mode="15W"),
        replace(BASE, name="another name", started="2026-02-02T00:00:00+00:00"),
    ],
    ids=["a little memory", "a machine", "what comes with a machine", "name and time"],
)
def test_a_consequence_of_a_difference_is_not_counted(other: BenchResult) -> None:
    assert against(BASE, other).compared in ((), ("machine",))


@pytest.mark.parametrize(
    ("other", "found"),
    [
        (
            on_another_machine(replace(BASE, **OTHER_BUNDLE)),
            ["the CPU is Cortex-A78AE, against AMD EPYC", "the bundle is"],
        ),
        (changed(replace(BASE, **OTHER_BUNDLE), power_mode="15W"), ["the power mode is 15W, against not known"]),
        (on_another_machine(BASE, governor="powersave"), ["the governor is powersave, against performance"]),
        (replace(BASE, edgener_version="0.2.0", **OTHER_BUNDLE), ["edgener is 0.2.0, against 0.1.0"]),
    ],
)
def test_more_than_one_difference_is_refused_with_a_list(other: BenchResult, found: list[str]) -> None:
    with pytest.raises(UserInputError) as refused:
        against(BASE, other)
    assert "differs from the first file in more than one aspect" in refused.value.message
    assert all(text in refused.value.message for text in found)
    assert refused.value.hint and "--across" in refused.value.hint


def test_aspects_that_may_differ_stay_in_the_list() -> None:
    other = replace(BASE, edgener_version="0.2.0", **OTHER_BUNDLE)
    found = against(BASE, other, across=("edgener",))
    assert found.compared == ("bundle", "edgener")
    assert against(on_another_machine(BASE), replace(other, driver="loadgen"), across=ASPECTS).rows


def test_differences_are_listed_below_the_table() -> None:
    lines = list(lines_below(against(BASE, changed(BASE, governor="powersave"))))
    assert "differs: power: the governor is powersave, against performance" in lines


# --- how much slower


@pytest.mark.parametrize("scenario", ["single-stream", "multi-stream", "offline", "server"])
def test_a_slowdown_is_found_in_every_scenario(scenario: str) -> None:
    base, other = pair_of(1.1, 5, scenario=scenario)
    row = against(base, other, 0.05).rows[0]
    assert row.slowdown and 1.08 < row.slowdown.value < 1.12
    assert row.verdict == "fail"
    assert row.measured and row.slowdown.low <= row.measured.low <= row.measured.high <= row.slowdown.high


def test_a_faster_row_passes() -> None:
    assert verdicts(*pair_of(0.8, 6)) == ["pass"]


def test_rounds_that_spread_too_much_are_inconclusive() -> None:
    assert verdicts(*pair_of(1.03, 7, between=0.1)) == ["inconclusive"]


def test_a_single_round_is_inconclusive() -> None:
    assert verdicts(*pair_of(1.3, 8, rounds=1)) == ["inconclusive"]


def test_without_a_limit_nothing_is_judged() -> None:
    comparison = compare(named(BASE), [named(BASE)])
    assert comparison.verdict == NOT_JUDGED
    assert {row.verdict for row in comparison.against[0].rows} == {NOT_JUDGED}


def test_the_worst_verdict_is_the_comparisons() -> None:
    slow = made_result(made_row(10.0, 3), made_row(30.0, 4, variant="fp32"))
    assert compare(named(BASE), [named(BASE), named(slow)], 0.05).verdict == "fail"


# --- the machine itself


@pytest.mark.parametrize("slower", [1.0, 1.1])
@pytest.mark.parametrize("reference", [1.12, 1 / 1.12])
def test_a_machine_that_was_slower_or_faster_itself_is_inconclusive(slower: float, reference: float) -> None:
    base, _ = pair_of(1, 9)
    other = made_result(made_row(10.0 * slower, 3, reference_ms=20.0 * reference))
    row = against(base, other, 0.05).rows[0]
    assert row.verdict == "inconclusive" and row.reason.startswith("the machine itself took")


def test_a_slightly_slower_machine_widens_the_interval_by_its_own_slowdown() -> None:
    base, _ = pair_of(1, 9)
    other = made_result(made_row(10.3, 3, reference_ms=20.0 * 1.03))
    row = against(base, other, 0.05).rows[0]
    assert row.slowdown and row.measured
    assert row.slowdown.low < 1.0 < row.measured.low
    assert row.slowdown.high == row.measured.high


def test_a_slightly_faster_machine_could_hide_a_slowdown() -> None:
    base, _ = pair_of(1, 9)
    other = made_result(made_row(10.2, 3, reference_ms=20.0 / 1.045))
    assert verdicts(base, other) == ["inconclusive"]


@pytest.mark.parametrize(
    "other",
    [changed(BASE, cpu="Xeon"), changed(BASE, governor="powersave"), changed(BASE, libraries={"numpy": "1.26.0"})],
    ids=["machine", "power", "numpy"],
)
def test_reference_workloads_are_not_compared_between_machines(other: BenchResult) -> None:
    found = against(BASE, other)
    assert found.machine is None
    assert any("reference workloads are not compared" in note for note in found.notes)


# --- what makes it doubtful


def test_marks_of_both_sides_are_shown() -> None:
    busy = made_result(replace(BASE.rows[0], marks=("busy: others used 0.8 cores",)))
    assert against(busy, made_result(BASE.rows[0])).rows[0].marks == ("first: busy: others used 0.8 cores",)


def test_an_interrupted_result_says_so() -> None:
    notes = against(BASE, replace(BASE, partial=True)).notes
    assert "b.json was interrupted: its rows have fewer rounds" in notes


def test_the_docs_name_every_aspect() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "explanation" / "comparisons.md").read_text(encoding="utf-8")
    assert [aspect for aspect in ASPECTS if f"`{aspect}`" not in text] == []

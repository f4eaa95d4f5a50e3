"""Benchmark results of many machines as one matrix."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgener.report.bench.columns import COLUMNS
from edgener.report.bench.matrix import BenchMatrix, merge
from edgener.report.bench.recommend import Bounds
from edgener_runtime.base.serde import from_json, to_json
from edgener_runtime.commissioning.bench.results.record import PARTIAL
from edgener_runtime.errors import UserInputError

from ...bench.made import made_result, made_row, not_run, on_another_machine

INT8 = made_row(5.0, 1, f1=0.885)
FP32 = made_row(9.0, 2, variant="fp32", f1=0.892, precision="fp32", size_bytes=90_000_000)
SLOW = made_row(12.0, 3, variant="int8-static", f1=0.88)
PYTORCH = made_row(30.0, 4, variant="pytorch", f1=0.893, precision="fp32")
BOX = made_result(INT8, FP32, SLOW, PYTORCH)


def cells(matrix: BenchMatrix, title: str) -> list[str]:
    column = next(column for column in COLUMNS if column.title == title)
    return [column.cell(line) for line in matrix.lines]


def test_a_line_per_row_on_every_machine() -> None:
    matrix = merge([BOX, on_another_machine(BOX)])
    assert [line.machine for line in matrix.lines] == ["box"] * 4 + ["orin"] * 4
    assert [machine.name for machine in matrix.machines] == ["box", "orin"]
    assert "AMD EPYC" in matrix.machines[0].what and "15W" in matrix.machines[1].what
    assert from_json(BenchMatrix, to_json(matrix), "here") == matrix
    assert '"begun"' in to_json(matrix) and '"started"' not in to_json(matrix)  # a key of before


def test_machines_of_one_name_are_distinguished() -> None:
    modes = [replace(BOX, fingerprint=replace(BOX.fingerprint, power_mode=mode)) for mode in ("15W", "30W", "15W")]
    assert [machine.name for machine in merge([BOX, *modes]).machines] == ["box", "box (2)", "box (3)", "box (2)"]


def test_results_of_one_machine_compete_with_each_other() -> None:
    matrix = merge([made_result(INT8), made_result(FP32, SLOW)])
    assert [machine.name for machine in matrix.machines] == ["box", "box"]
    assert cells(matrix, "Pareto") == ["yes", "yes", ""] and len(matrix.recommended) == 1


def test_bundles_of_one_name_are_distinguished_and_do_not_compete() -> None:
    matrix = merge([made_result(INT8), made_result(FP32, bundle_sha256="3" * 64)])
    assert cells(matrix, "bundle") == ["bundle 11111111", "bundle 33333333"] and len(matrix.recommended) == 2


def test_a_latency_is_shown_where_texts_come_one_by_one_and_not_where_all_are_one_query() -> None:
    offline = made_row(5.0, 1, scenario="offline")
    assert cells(merge([made_result(INT8, offline)]), "p50 ms") == [f"{INT8.figures.p50_ms.value:.2f}", "-"]  # type: ignore[union-attr]


def test_rounds_are_left_out() -> None:
    assert all(line.row.rounds == () for line in merge([BOX]).lines)


def test_nothing_beats_the_pareto_front_in_both_figures_and_pytorch_is_not_on_it() -> None:
    assert cells(merge([BOX]), "Pareto") == ["yes", "yes", "", ""]


def test_without_gold_labels_the_pareto_front_is_against_size() -> None:
    rows = (replace(INT8, f1=None), replace(FP32, f1=None), replace(SLOW, f1=None, size_bytes=9_000_000))
    assert cells(merge([made_result(*rows)]), "Pareto") == ["yes", "", "yes"]


def test_each_work_has_its_own_pareto_front() -> None:
    matrix = merge([made_result(INT8, made_row(50.0, 5, scenario="offline"), made_row(70.0, 6, work="long"))])
    assert cells(matrix, "Pareto") == ["yes"] * 3
    assert len(matrix.recommended) == 3


@pytest.mark.parametrize(
    ("rows", "lost"),
    [
        ((INT8, FP32, PYTORCH), ["+0.0080", "+0.0010", "+0.0000"]),
        ((INT8, FP32), ["+0.0070", "+0.0000"]),
        ((INT8, SLOW), ["+0.0000", "+0.0050"]),
        ((INT8, replace(FP32, f1=None)), ["+0.0000", "-"]),
    ],
    ids=["PyTorch", "FP32", "the best", "unknown"],
)
def test_f1_is_lost_against_the_best_reference_there_is(rows: tuple[object, ...], lost: list[str]) -> None:
    assert cells(merge([made_result(*rows)]), "F1 lost") == lost  # type: ignore[arg-type]


def test_the_reference_may_stand_in_another_result_of_the_same_bundle_and_texts() -> None:
    device = on_another_machine(made_result(INT8))
    assert cells(merge([BOX, device]), "F1 lost")[-1] == "+0.0080"
    assert cells(merge([BOX, replace(device, bundle_sha256="3" * 64)]), "F1 lost")[-1] == "+0.0000"


def test_texts_without_gold_labels_take_what_the_variant_lost_on_those_with() -> None:
    rows = (
        INT8,
        FP32,
        *(
            made_row(ms, 9, variant=name, work="64 subwords", threads=1)
            for ms, name in ((4.0, "int8-dynamic"), (8.0, "fp32"), (9.0, "other"))
        ),
    )
    assert cells(merge([made_result(*rows)]), "F1 lost") == ["+0.0070", "+0.0000", "+0.0070", "+0.0000", "-"]


def test_offline_counts_texts_per_second_and_more_is_better() -> None:
    rows = [made_row(ms, 7, scenario="offline", variant=name, f1=0.8) for ms, name in ((5.0, "fast"), (9.0, "slow"))]
    matrix = merge([made_result(*rows)])
    assert cells(matrix, "Pareto") == ["yes", ""]
    assert matrix.recommended[0].choice == "fast on 2 threads"


def test_a_recommendation_names_its_bounds_and_figures() -> None:
    found = merge([BOX], Bounds(20.0, 0.005)).recommended[0]
    assert found.title == "box, bundle, single-stream, made-up"
    assert found.sentence.startswith("p99 under 20 ms, F1 within 0.005: fp32 on 2 threads (p99 ")
    assert "F1 0.8920, 90.0 MB" in found.sentence


def test_the_original_model_is_not_recommended() -> None:
    fastest = made_row(1.0, 8, variant="pytorch", f1=0.9)
    assert merge([made_result(fastest, INT8)]).recommended[0].choice == "int8-dynamic on 2 threads"


def test_what_did_not_run_or_is_doubtful_says_so() -> None:
    partial = replace(FP32, status=PARTIAL, reason="interrupted")
    matrix = merge([made_result(not_run(INT8), partial, replace(SLOW, marks=("busy: 0.8 cores",)))])
    assert cells(matrix, "state") == [
        "not run: no CUDA driver", "partial: interrupted", "measured; busy: 0.8 cores",
    ]  # fmt: skip
    assert cells(matrix, "p99 ms")[0] == "-" and not matrix.lines[0].front


def test_without_results_there_is_no_matrix() -> None:
    with pytest.raises(UserInputError, match="no results to merge"):
        merge([])

"""Charts of a matrix: one per kind of work, the most informative first, a mark per variant and machine."""

from __future__ import annotations

from dataclasses import replace

from edgener.report.bench.charts import WorkRows, charts, work_rows
from edgener.report.bench.matrix import merge
from edgener_runtime.commissioning.bench.results.record import BenchResult

from ...bench.made import made_result, made_row, not_run, on_another_machine

INT8 = made_row(5.0, 1, f1=0.885)
SLOWER = made_row(9.0, 2, f1=0.885, threads=1)
FP32 = made_row(12.0, 3, variant="fp32", f1=0.892)
OFFLINE = made_row(3.0, 4, scenario="offline", f1=0.885)
UNSCORED = made_row(4.0, 5, work="64 subwords")
PYTORCH = made_row(30.0, 6, variant="pytorch", f1=0.893)
BOX = made_result(UNSCORED, OFFLINE, INT8, SLOWER, FP32, PYTORCH, not_run(made_row(1.0, 7, variant="fp16")))
ORIN = on_another_machine(made_result(made_row(20.0, 8, f1=0.884)))


def works_of(*results: BenchResult) -> list[WorkRows]:
    return work_rows(merge(results).lines, results)


def drawn(*results: BenchResult) -> list[tuple[str, str, str]]:
    """Title, heading and text of each chart."""
    return [(title, each.picture.title, each.picture.text) for title, each in charts(works_of(*results))]


def test_latency_with_f1_comes_first_and_throughput_last() -> None:
    titles = [work.title for work in works_of(BOX)]
    assert titles == ["single-stream, made-up", "single-stream, 64 subwords", "offline, made-up"]


def test_the_original_model_and_rows_that_did_not_run_are_in_no_chart() -> None:
    assert {line.row.case.variant for work in works_of(BOX) for line in work.lines} == {"int8-dynamic", "fp32"}


def test_of_several_thread_counts_the_best_is_drawn() -> None:
    [(_, heading, text), *_] = drawn(BOX)
    assert heading == "Latency against entity F1"
    assert "Pareto front: int8-dynamic, fp32." in text


def test_without_gold_labels_the_chart_is_against_size_and_its_axis_says_so() -> None:
    works = works_of(made_result(UNSCORED))
    [(_, found)] = charts(works)
    assert found.picture.title == "Latency against size"
    assert "size in MB (no gold labels, so no F1)" in found.svg and "Down and to the left" in found.picture.text


def test_a_row_whose_f1_is_not_known_is_named_below_the_chart() -> None:
    [(_, _, text)] = drawn(made_result(INT8, made_row(6.0, 9, variant="fp16")))
    assert "Not shown, as their F1 is not known: fp16." in text


def test_machines_are_series_with_fronts_of_their_own() -> None:
    [(_, _, text), *_] = drawn(BOX, ORIN)
    assert "int8-dynamic on box, fp32 on box, int8-dynamic on orin." in text
    names = [candidate.name for candidate in works_of(BOX, ORIN)[0].candidates().values()]
    assert names[0] == "int8-dynamic on 2 threads of box" and names[-1] == "int8-dynamic on 2 threads of orin"


def test_bundles_and_other_texts_of_the_same_name_are_distinguished() -> None:
    other = made_result(INT8, bundle_sha256="3" * 64)
    assert {work.series(line) for work in works_of(BOX, other)[:1] for line in work.lines} == {
        "bundle 11111111", "bundle 33333333",
    }  # fmt: skip
    texts = replace(ORIN, workloads=tuple(replace(work, sha256="9" * 64) for work in ORIN.workloads))
    assert [len({line.machine for line in work.lines}) for work in works_of(BOX, texts)] == [1] * 4

from __future__ import annotations

from dataclasses import replace

from edgener_runtime.commissioning.bench.results.record import BUDGET, FAILED, NOT_RUN, BenchRow, Case, Interval
from edgener_runtime.commissioning.bench.results.table import table

from .test_record import FIGURES, RESULT, ROW


def lines_of(*rows: BenchRow, **fields: object) -> list[str]:
    return table(replace(RESULT, rows=rows, **fields)).splitlines()  # type: ignore[arg-type]


def test_a_row_stands_below_its_titles() -> None:
    head, about, blank, workload, *titles, row = lines_of(ROW)[:7]
    assert head == "bundle on box: a CPU, 2 cores, avx2" and not blank
    assert about == "3 s, driver builtin, edgener 0.1.0, 2026-01-01T00:00:00+00:00"
    assert workload == "orders: 64 texts, 1200 subwords"
    assert " ".join(titles[0].split()) == "by MLPerf's p50 p90 p95 p99 max subwords CPU s load first file"
    assert " ".join(titles[1].split()) == (
        "variant device threads scenario rules ms ms ms ms ms texts/s /s /1000 s ms MB rounds"
    )
    assert " ".join(row.split()) == (
        "fp32 cpu 2 single-stream p90 1.00 ms 1.00 ±10.0% 1.00 1.00 1.00 2.00 1.00 ±10.0% 20.0 1.50 0.20 3.00 0.00 "
        "1 precise"
    )


def test_a_scenario_with_all_texts_in_one_query_has_no_latency() -> None:
    offline = replace(ROW, case=replace(ROW.case, scenario="offline"), figures=replace(FIGURES, unit="texts/s"))
    row = " ".join(lines_of(ROW, offline)[7].split())
    assert row.startswith("fp32 cpu 2 offline 1.00 texts/s - - - - - 1.00 ±10.0% 20.0 ")


def test_figures_are_reported_where_there_are_some() -> None:
    figures = replace(FIGURES, joules_per_1000=12.345, steady_rss_mb=123.4, peak_rss_mb=150.0)
    text = "\n".join(lines_of(replace(ROW, figures=figures, f1=0.91234), ROW))
    assert "12.3" in text and "123" in text and "0.9123" in text and "joules" in text


def test_an_interval_that_reports_nothing_says_so() -> None:
    wide = replace(FIGURES, p50_ms=Interval(1.0, 0.0, 10.7))
    assert "1.00 ±>100%" in "\n".join(lines_of(replace(ROW, figures=wide)))
    assert lines_of(replace(ROW, figures=replace(FIGURES, p50_ms=Interval(0.0, 0.0, 0.0))))


def test_marks_are_letters_with_their_meaning_below() -> None:
    marked = replace(ROW, marks=("busy: others used 0.8 cores", "throttled"))
    lines = lines_of(ROW, marked, replace(ROW, marks=("throttled",)))
    assert [line.split()[-1] for line in lines[6:9]] == ["precise", "a,b", "b"]
    assert lines[-2:] == ["a: busy: others used 0.8 cores", "b: throttled"]


def test_each_workload_has_a_table_and_sources_and_notes_stand_below() -> None:
    other = replace(RESULT.workloads[0], name="16 subwords")
    rows = (ROW, replace(ROW, case=replace(ROW.case, workload=other.name)))
    lines = lines_of(*rows, workloads=(*RESULT.workloads, other), notes=("the governor is powersave",))
    assert [line for line in lines if line.endswith("subwords") and "texts" in line] == [
        "orders: 64 texts, 1200 subwords", "16 subwords: 64 texts, 1200 subwords",
    ]  # fmt: skip
    assert lines[-2:] == ["energy: not measurable here", "note: the governor is powersave"]


def test_what_was_not_run_has_one_line_for_a_target_with_the_reason() -> None:
    rows = [
        BenchRow(
            Case("fp16", "cuda", 2, scenario, "orders"), "fp16", None, None, "0" * 64, 10, NOT_RUN, FAILED,
            reason="no CUDA driver",
        )
        for scenario in ("single-stream", "offline")
    ]  # fmt: skip
    lines = lines_of(ROW, *rows)
    assert lines.count("not run: fp16 on cuda, 2 threads: no CUDA driver") == 1
    assert not any("fp16" in line for line in lines if "single-stream" in line)


def test_a_partial_result_says_so() -> None:
    assert lines_of(replace(ROW, ended_by=BUDGET), partial=True)[1].startswith("interrupted: 3 s")


def test_a_narrow_table_continues_in_blocks_with_all_its_cells() -> None:
    rows = (ROW, replace(ROW, case=replace(ROW.case, scenario="offline"), marks=("throttled",)))
    wide, narrow = (table(replace(RESULT, rows=rows), width) for width in (None, 80))
    assert max(map(len, wide.splitlines())) > 80 >= max(map(len, narrow.splitlines()))
    _, *blocks, foot = narrow.split("\n\n")
    assert len(blocks) > 1 and foot in wide
    assert all("fp32" in block and "offline" in block and "single-stream" in block for block in blocks)
    assert set(narrow.split()) == set(wide.split())

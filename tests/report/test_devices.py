"""The matrix of selftests: the text of a row, which labels are compared, and what has not been run."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from edgener.report.devices import COLUMNS, SelftestMatrix, SelftestRow, merge, not_run_line, to_html, to_markdown
from edgener_runtime import UserInputError
from edgener_runtime.base.serde import from_json, to_json
from edgener_runtime.commissioning.selftest.report import Answer, CheckResult, SelftestMachine, SelftestReport

MACHINE = SelftestMachine("laptop", "x86_64", "Linux 6.1", "3.11.7", "EPYC", "avx2", 2, 8 << 30, None, {})
SPEED = CheckResult("speed", "", "pass", "", 5.0, {"p50_ms": 1.234, "p99_ms": 2.5, "peak_rss_mb": 78.4})
LABELS = CheckResult("labels", "", "pass", "", 0.1, {"equal_labels": 0.995})
LAPTOP = SelftestReport(
    verdict="pass", exit_code=0, device="cpu", provider="CPUExecutionProvider", library="onnxruntime 1.32.0",
    bundle="factory", variant="int8",
    precision="int8", model="aa", machine=MACHINE, versions={"numpy": "2.4.6"},
    checks=(SPEED, LABELS), answers=(Answer("t", "0 1 0 2", "1 1 1 1", "1 1 1 1"),), created="2026-01-01",
)  # fmt: skip
ORIN = replace(
    LAPTOP,
    device="jetson",
    provider="TensorRT",
    library="TensorRT 10.3.0",
    machine=replace(MACHINE, name="Orin", architecture="aarch64", probe={"jetson": {"model": "Orin"}}),
    answers=(replace(LAPTOP.answers[0], labels="0 1 0 0"),),
    checks=(SPEED, CheckResult("power", "", "pass", "", 5.0, {"mean_watts": 7.25})),
)
ABSENT = replace(
    LAPTOP, verdict="fail", exit_code=6, device="cuda", provider=None, variant=None, model=None, answers=(),
    checks=(CheckResult("device", "", "fail", "no CUDA driver", 0.1, {}, "hint", 6),),
)  # fmt: skip


def row_of(*reports: SelftestReport) -> SelftestRow:
    """The last one's."""
    return merge(reports).rows[-1]


def test_a_row_says_what_ran_where_and_how_fast() -> None:
    assert row_of(LAPTOP).cells() == (
        "laptop (x86_64)", "CPU, onnxruntime 1.32.0", "int8 of factory", "99.50% of its own CPU's reference",
        "1.23", "2.50", "78", "-", "pass",
    )  # fmt: skip


def test_labels_are_compared_with_those_of_the_first_machine_with_the_model() -> None:
    row = row_of(LAPTOP, ORIN)
    assert (row.labels, row.ran_on, row.watts) == ("75.00% of laptop's", "TensorRT, TensorRT 10.3.0", "7.2")


@pytest.mark.parametrize(
    ("reports", "labels"),
    [
        ((replace(LAPTOP, checks=()),), "the reference"),
        ((LAPTOP, replace(ORIN, model="bb")), "the reference"),
        ((LAPTOP, replace(ORIN, answers=(Answer("u", "0", "1", "1"),))), "other texts than laptop"),
        ((replace(LAPTOP, verdict="fail"), replace(LAPTOP, checks=())), "the reference"),
    ],
    ids=["alone", "another model", "other texts", "the first failed"],
)
def test_labels_without_a_machine_to_compare_say_so(reports: tuple[SelftestReport, ...], labels: str) -> None:
    assert row_of(*reports).labels == labels


def test_a_device_that_was_not_there_is_a_row_without_figures() -> None:
    row = row_of(ABSENT)
    assert row.ran_on == "nothing; cuda was asked for" and row.verdict == "fail (6), device: no CUDA driver"
    assert {row.labels, row.median_ms, row.megabytes} == {"-"}


def test_answers_that_were_not_compared_prove_nothing() -> None:
    matrix = merge([replace(ORIN, verdict="inconclusive", exit_code=4)])
    assert matrix.rows[0].verdict == "inconclusive (4)"
    assert "TensorRT" in matrix.not_run


def test_an_emulated_machine_says_so_and_comes_last() -> None:
    emulated = replace(LAPTOP, machine=replace(MACHINE, name="arm64", emulated_by="qemu"))
    rows = merge([emulated, LAPTOP]).rows
    assert rows[1].machine == "arm64 (x86_64, emulated by qemu: answers, not speed)"
    assert rows[1].labels == "100.00% of laptop's"


@pytest.mark.parametrize(
    ("reports", "expected"),
    [
        ([LAPTOP], ("CUDA", "TensorRT", "Jetson")),
        ([LAPTOP, ABSENT], ("CUDA", "TensorRT", "Jetson")),
        ([LAPTOP, replace(ORIN, verdict="fail")], ("CUDA", "TensorRT", "Jetson")),
        ([replace(LAPTOP, machine=replace(MACHINE, emulated_by="qemu"))], ("CPU", "CUDA", "TensorRT", "Jetson")),
        ([LAPTOP, ORIN], ("CUDA",)),
        ([LAPTOP, ORIN, replace(LAPTOP, provider="CUDAExecutionProvider")], ()),
    ],
    ids=["a laptop", "absent", "failed", "emulated", "a Jetson", "all"],
)
def test_only_what_passed_on_hardware_counts_as_run(reports: list[SelftestReport], expected: tuple[str, ...]) -> None:
    matrix = merge(reports)
    assert matrix.not_run == expected
    assert not_run_line(matrix) == (f"Not run on a device yet: {', '.join(expected)}." if expected else "")


def test_no_reports_are_no_matrix() -> None:
    with pytest.raises(UserInputError, match="no reports to merge"):
        merge([])


# --- its forms


def test_json_comes_back_as_it_was() -> None:
    matrix = merge([LAPTOP, ORIN])
    assert from_json(SelftestMatrix, to_json(matrix), "there") == matrix


ATTACK = "<img src=x>|[b]\n&\\"


def hostile(**fields: Any) -> SelftestMatrix:
    return merge([replace(LAPTOP, machine=replace(MACHINE, name=ATTACK, **fields))])


def test_markdown_has_a_line_per_row_with_as_many_cells_whatever_they_hold() -> None:
    lines = to_markdown(hostile()).splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert len(table) == 3 and {line.count(" | ") for line in table} == {len(COLUMNS) - 1}
    assert "&lt;img src=x&gt;\\|[b]<br>&amp;\\\\" in table[2]
    assert lines[-1] == "Not run on a device yet: CUDA, TensorRT, Jetson."


def test_the_page_escapes_everything() -> None:
    html = to_html(hostile(), [replace(LAPTOP, machine=replace(MACHINE, name=ATTACK))])
    assert "<img" not in html and html.count("&lt;img src=x&gt;") == 2  # in the chart and in the table
    assert 'class="advice pass"' in html and "1 selftests, of which none failed. Not run on a device yet: CUDA" in html
    assert 'class="advice fail"' in to_html(merge([LAPTOP, ABSENT]), [LAPTOP, ABSENT])


def test_what_ran_everywhere_has_nothing_below_the_table() -> None:
    everything = merge([LAPTOP, ORIN, replace(LAPTOP, provider="CUDAExecutionProvider")])
    assert "Not run" not in to_markdown(everything) + to_html(everything, [])

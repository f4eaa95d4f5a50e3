from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from edgener_runtime.base.serde import to_json
from edgener_runtime.commissioning.bench.results.record import (
    MEASURED,
    PRECISE,
    BenchFigures,
    BenchResult,
    BenchRow,
    Case,
    Interval,
    Isolation,
    MachineFingerprint,
    Round,
    Workload,
    read_result,
)
from edgener_runtime.errors import UserInputError

ONE = Interval(1.0, 0.9, 1.1)
FIGURES = BenchFigures(ONE, "ms", ONE, ONE, ONE, ONE, 2.0, ONE, 20.0, 1.5, 0.2, 3.0)
ROUND = Round("2026-01-01T00:00:00+00:00", 0.2, 3.0, 0.5, 1.0, 10, 200, 1.0, "", Isolation(5.0))
ROW = BenchRow(
    Case("fp32", "cpu", 2, "single-stream", "orders"), "fp32", "CPUExecutionProvider", "onnxruntime 1.32.0", "0" * 64,
    10, MEASURED, PRECISE, figures=FIGURES, rounds=(ROUND,),
)  # fmt: skip
MACHINE = MachineFingerprint(
    "a CPU", "avx2", "x86_64", 2, 8 << 30, None, None, "Debian", "6.1", None, None, None, (), None, None, None, None
)
RESULT = BenchResult(
    "box", "0.1.0", "bundle", "1" * 64, "2026-01-01T00:00:00+00:00", 3.0, "builtin", MACHINE,
    (Workload("orders", 64, 1200, "2" * 64),), (ROW,),
)  # fmt: skip


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "result.json"
    file.write_text(text, encoding="utf-8")
    return file


def test_a_result_is_read_as_it_was_written(tmp_path: Path) -> None:
    assert read_result(written(tmp_path, to_json(RESULT))) == RESULT


def test_a_row_with_figures_makes_the_result_measured() -> None:
    assert RESULT.measured
    assert not replace(RESULT, rows=(replace(ROW, figures=None),)).measured


def test_a_marked_row_makes_the_result_busy() -> None:
    assert not RESULT.busy
    assert replace(RESULT, rows=(replace(ROW, marks=("busy",)),)).busy


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"schema_version": 2}, "schema version 2; this edgener reads 1"),
        ({"kind": "else"}, "is not a result of a benchmark"),
        ({"rows": 3}, "expected a list, found 3"),
        ({"more": 3}, "unknown field 'more'"),
    ],
)
def test_what_is_not_a_result_is_refused(tmp_path: Path, change: dict[str, object], says: str) -> None:
    file = written(tmp_path, json.dumps(json.loads(to_json(RESULT)) | change))
    with pytest.raises(UserInputError, match=says):
        read_result(file)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"kind":'])
def test_a_damaged_file_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(UserInputError, match=r"damaged|no result"):
        read_result(written(tmp_path, text))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserInputError, match="cannot read"):
        read_result(tmp_path / "none.json")


def test_a_row_without_figures_says_why_it_has_none() -> None:
    assert ROW.measured == FIGURES
    with pytest.raises(ValueError, match="was not measured: too little memory"):
        _ = replace(ROW, figures=None, reason="too little memory").measured

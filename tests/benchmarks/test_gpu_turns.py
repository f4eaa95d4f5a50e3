"""The comparison in turns, on the CPU: every row is measured by its own worker."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from benchmarks.gpu.turns import main
from benchmarks.gpu.without_graphs import WithoutGraphs
from click.testing import CliRunner

from edgener_runtime.backends.onnxruntime import options
from edgener_runtime.commissioning.bench.job import WorkerJob
from edgener_runtime.commissioning.bench.results.record import read_result


def test_each_row_is_measured(trained: Path, exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.environ.get("PYTHONPATH", ""))  # which the program changes for its workers
    arguments = [str(trained), str(exported), "--data", "builtin:factory", "--device", "cpu", "--variant", "fp32"]
    arguments += ["--pytorch", "pytorch-bf16", "--seconds", "1", "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    rows = read_result(tmp_path / "out").rows
    assert {row.case.variant: row.provider for row in rows} == {
        "fp32": "CPUExecutionProvider", "fp32-no-graphs": "CPUExecutionProvider", "pytorch-bf16": "PyTorch",
    }  # fmt: skip
    assert all(row.figures and row.f1 for row in rows), [row.reason for row in rows]
    precisions = {row.case.variant: row.precision for row in rows}
    assert precisions == {"fp32": "fp32", "fp32-no-graphs": "fp32", "pytorch-bf16": "bf16"}


def test_the_worker_without_graphs_asks_for_none(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.gpu.without_graphs.CUDA_OPTIONS", options.CUDA_OPTIONS)
    before = dict(options.CUDA_OPTIONS)
    try:
        loaded = WithoutGraphs(WorkerJob(str(exported), "fp32-no-graphs", "cpu", 1, "", "builtin", 0, ()))
        assert loaded.answer(["Pump P-101 leaks at the seal"])
        assert options.GRAPHS in before and options.GRAPHS not in options.CUDA_OPTIONS
    finally:
        options.CUDA_OPTIONS.update(before)

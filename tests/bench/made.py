"""Synthetic results of a benchmark: rounds with known noise, and the figures calculated from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from edgener.compare.compare import NamedResult
from edgener_runtime.base.serde import to_json
from edgener_runtime.commissioning.bench.drivers.scenarios import SCENARIOS
from edgener_runtime.commissioning.bench.results.record import (
    MEASURED,
    NOT_RUN,
    PRECISE,
    BenchResult,
    BenchRow,
    Case,
    Isolation,
    MachineFingerprint,
    Round,
    Workload,
)
from edgener_runtime.commissioning.bench.results.samples import pack
from edgener_runtime.commissioning.bench.results.statistics import figures

MACHINE = MachineFingerprint(
    cpu="AMD EPYC", isa="avx2", architecture="x86_64", cores=2, memory=8 << 30, core_limit=None, memory_limit=None,
    os="Debian 12", kernel="6.1", container=None, governor="performance", boost=False, gpus=(), driver=None, board=None,
    jetpack=None, power_mode=None, libraries={"onnxruntime": "1.32.0", "numpy": "2.4.6"},
)  # fmt: skip
ORIN = replace(MACHINE, cpu="Cortex-A78AE", isa="neon", architecture="aarch64", cores=6, board="Orin", power_mode="15W")
ROUNDS, SAMPLES = 8, 200
BETWEEN, WITHIN = 0.008, 0.05  # the spread of rounds, and of samples in a round, on a logarithmic scale


def made_round(random: np.random.Generator, ms: float, reference_ms: float, between: float, **values: Any) -> Round:
    """A round of texts that take about `ms` milliseconds each."""
    times = ms * np.exp(between * random.standard_normal() + WITHIN * random.standard_normal(SAMPLES))
    isolation = Isolation(reference_ms * float(np.exp(between * random.standard_normal() / 2)))
    seconds = float(times.sum()) / 1000
    found = Round(
        "2026-01-01T00:00:00+00:00",
        0.2,
        30.0,
        0.5,
        seconds,
        SAMPLES,
        20 * SAMPLES,
        2 * seconds,
        pack(times),
        isolation,
        80.0,
        90.0,
    )
    return replace(found, **values)


def made_row(
    ms: float = 10.0, seed: int = 1, *, variant: str = "int8-dynamic", threads: int = 2,
    scenario: str = "single-stream", work: str = "made-up", rounds: int = ROUNDS, reference_ms: float = 20.0,
    between: float = BETWEEN, joules: float | None = None, **values: Any,
) -> BenchRow:  # fmt: skip
    """A measured row."""
    random = np.random.default_rng(seed)
    rate = {"rate": 1000 / ms} if scenario == "server" else {}
    found = tuple(made_round(random, ms, reference_ms, between, joules=joules, **rate) for _ in range(rounds))
    case = Case(variant, "cpu", threads, scenario, work)
    row = BenchRow(
        case, "int8", "CPUExecutionProvider", "onnxruntime 1.32.0", "0" * 64, 23_000_000, MEASURED, PRECISE,
        figures=figures(SCENARIOS[scenario], found), rounds=found,
    )  # fmt: skip
    return replace(row, **values)


def not_run(row: BenchRow, reason: str = "no CUDA driver") -> BenchRow:
    """The row of a case that could not be run."""
    return replace(row, status=NOT_RUN, ended_by="", reason=reason, figures=None, rounds=(), f1=None)


def made_result(*rows: BenchRow, **values: Any) -> BenchResult:
    """A result of those rows, on texts of 20 subwords."""
    workloads = tuple(Workload(name, 64, 1280, "2" * 64) for name in dict.fromkeys(row.case.workload for row in rows))
    result = BenchResult(
        "box", "0.1.0", "bundle", "1" * 64, "2026-01-01T00:00:00+00:00", 30.0, "builtin", MACHINE, workloads, rows
    )
    return replace(result, **values)


def named(result: BenchResult, name: str = "b.json") -> NamedResult:
    """A result under the name of a file."""
    return NamedResult(name, result)


def written(folder: Path, **results: BenchResult) -> list[Path]:
    """The results as files `name.json`."""
    for name, result in results.items():
        (folder / f"{name}.json").write_text(to_json(result), encoding="utf-8")
    return [folder / f"{name}.json" for name in results]


def on_another_machine(result: BenchResult, **values: Any) -> BenchResult:
    """The same result, found on a Jetson."""
    return replace(result, name="orin", fingerprint=replace(ORIN, **values))


def pair_of(slower: float, seed: int, **values: Any) -> Sequence[BenchResult]:
    """A result, and another one that is so many times slower, each with noise of its own."""
    return made_result(made_row(10.0, 2 * seed, **values)), made_result(made_row(10.0 * slower, 2 * seed + 1, **values))

"""The schema of a benchmark's result: rows of one machine, with all that is needed to repeat their statistics."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from edgener_runtime.base.serde import SchemaError, from_json
from edgener_runtime.errors import UserInputError

KIND = "edgener-bench"
SCHEMA_VERSION = 1

MEASURED, PARTIAL, NOT_RUN = "measured", "partial", "not run"  # a row's status
PRECISE, BUDGET, INTERRUPTED, FAILED = "precise", "budget", "interrupted", "failed"  # why a row's rounds ended


@dataclass(frozen=True)
class Interval:
    """A figure with the ends of its 95 % confidence interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class MachineFingerprint:
    """The properties of a machine that decide its speed; None or empty if unknown.

    `cores` are those that this process may use, `memory` is in bytes; the limits are the container's. `board` is a
    Jetson's model, `libraries` are names and versions of what runs the model.
    """

    cpu: str
    isa: str
    architecture: str
    cores: int
    memory: int | None
    core_limit: float | None
    memory_limit: int | None
    os: str
    kernel: str
    container: str | None
    governor: str | None
    boost: bool | None
    gpus: tuple[str, ...]
    driver: str | None
    board: str | None
    jetpack: str | None
    power_mode: str | None
    libraries: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Workload:
    """The texts of a workload: their name (a file's, `made-up` for synthetic ones, or `64 subwords`), number, subwords
    in total and SHA-256; `gold` if their entities are known."""

    name: str
    texts: int
    subwords: int
    sha256: str
    gold: bool = False


@dataclass(frozen=True)
class Isolation:
    """The isolation of a round from other activity on the machine; None if unknown.

    `reference_ms` is the mean time of the reference workload before and after the round, `others` the cores that
    other processes used, `stolen` the share of time that a hypervisor took, `throttled` how often the CPU slowed down.
    """

    reference_ms: float = field(metadata={"key": "yardstick_ms"})
    others: float | None = None
    stolen: float | None = None
    throttled: int | None = None
    celsius: float | None = None


@dataclass(frozen=True)
class Round:
    """One round in a fresh process: loading, the first call, warm-up, and then the steady state.

    `samples` are milliseconds per query in the order of their ends (see `samples.py`), `seconds` the steady state's
    duration, `cpu_seconds` the CPU time of all threads in it, `rate` a server's queries per second.
    """

    started: str = field(metadata={"key": "begun"})
    load_seconds: float
    first_ms: float
    warm_up_seconds: float
    seconds: float
    texts: int
    subwords: int
    cpu_seconds: float
    samples: str
    isolation: Isolation = field(metadata={"key": "still"})
    steady_rss_mb: float | None = None
    peak_rss_mb: float | None = None
    joules: float | None = None
    rate: float | None = None


@dataclass(frozen=True)
class Case:
    """The unit of comparison: a variant on a device with a number of threads, in a scenario on a workload.

    `samples_per_query` are the texts of a query, `bound_ms` is the p99 limit of a server.
    """

    variant: str
    device: str
    threads: int
    scenario: str
    workload: str = field(metadata={"key": "work"})
    samples_per_query: int = 1
    bound_ms: float | None = None


@dataclass(frozen=True)
class BenchFigures:
    """The figures of a row; `metric` is the scenario's own by MLPerf's rules, in `unit`.

    Latencies are milliseconds per query; `load_seconds` to `joules_per_1000` are medians over the rounds.
    """

    metric: Interval
    unit: str
    p50_ms: Interval
    p90_ms: Interval
    p95_ms: Interval
    p99_ms: Interval
    max_ms: float
    texts_per_second: Interval
    subwords_per_second: float
    cpu_seconds_per_1000: float
    load_seconds: float
    first_ms: float
    steady_rss_mb: float | None = None
    peak_rss_mb: float | None = None
    joules_per_1000: float | None = None


@dataclass(frozen=True)
class BenchRow:
    """A case with its model file, its figures, and the rounds from which they were calculated.

    `reason` says why it was not run or ended early; `marks` are warnings on its figures (a busy machine ...). `f1` is
    entity F1 if the workload has gold labels. `energy` names the meter of the joules, or why there is none.
    """

    case: Case
    precision: str
    provider: str | None
    library: str | None
    sha256: str
    size_bytes: int
    status: str
    ended_by: str
    reason: str = ""
    marks: tuple[str, ...] = ()
    figures: BenchFigures | None = None
    f1: float | None = None
    energy: str = "not measurable here"
    rounds: tuple[Round, ...] = ()

    @property
    def measured(self) -> BenchFigures:
        """Its figures. Raises ValueError for a row that was not measured."""
        if self.figures is None:
            raise ValueError(f"{self.case} was not measured: {self.reason}")
        return self.figures


@dataclass(frozen=True)
class BenchResult:
    """All rows of one run on one machine. `bundle_sha256` is the manifest's; `partial` if the run was interrupted."""

    name: str
    edgener_version: str
    bundle: str
    bundle_sha256: str
    started: str = field(metadata={"key": "begun"})
    seconds: float
    driver: str
    fingerprint: MachineFingerprint
    workloads: tuple[Workload, ...] = field(metadata={"key": "works"})
    rows: tuple[BenchRow, ...]
    notes: tuple[str, ...] = ()
    partial: bool = False
    kind: str = KIND
    schema_version: int = SCHEMA_VERSION

    @property
    def measured(self) -> bool:
        """Whether any row has figures."""
        return any(row.figures for row in self.rows)

    @property
    def busy(self) -> bool:
        """Whether any row has a warning."""
        return any(row.marks for row in self.rows)


_AGAIN = "Copy it again, or run the benchmark again."


def read_result(path: Path) -> BenchResult:
    """The result in a file. Raises UserInputError if there is none, or one that this version cannot read."""
    try:
        return parse_result(path.read_text(encoding="utf-8"), str(path))
    except OSError as error:
        raise UserInputError(f"cannot read {path}: {error.strerror}", "Check the path and its permissions.") from None
    except UnicodeDecodeError as error:
        raise UserInputError(f"{path} is damaged: {error}", _AGAIN) from None


def parse_result(text: str, where: str) -> BenchResult:
    """The result in JSON; `where` names it in errors. Raises UserInputError if it is not a result."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserInputError(f"{where} is damaged: {error}", _AGAIN) from None
    if not isinstance(found, dict) or found.get("kind") != KIND:
        raise UserInputError(
            f"{where} is not a result of a benchmark", "Make one: edgener-runtime bench BUNDLE --out FILE"
        )
    if (version := found.get("schema_version")) != SCHEMA_VERSION:
        raise UserInputError(
            f"{where} has schema version {version!r}; this edgener reads {SCHEMA_VERSION}",
            "Update edgener, or run the benchmark again.",
        )
    try:
        return from_json(BenchResult, text, where)
    except SchemaError as error:
        raise UserInputError(error.message, _AGAIN) from None

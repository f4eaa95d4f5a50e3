"""The one schema of what a bench found: rows of a machine, with all that is needed to redo their statistics."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from edgener_runtime.base.serde import SchemaError, from_json
from edgener_runtime.errors import UserInputError

KIND = "edgener-bench"
SCHEMA_VERSION = 1

MEASURED, PARTIAL, NOT_RUN = "measured", "partial", "not run"  # a row's status
PRECISE, BUDGET, INTERRUPTED, FAILED = "precise", "budget", "interrupted", "failed"  # what ended a row's rounds


@dataclass(frozen=True)
class Interval:
    """A figure with the ends of its 95 % confidence interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Fingerprint:
    """What of a machine decides how fast it is; None or empty where it does not tell.

    `cores` are those this process may use, `memory` is bytes; the limits are the container's. `board` is a Jetson's
    model, `libraries` are names and versions of what runs the model.
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
class Work:
    """Texts that are run: their name (a file's, `made-up`, or `64 subwords`), how many, their subwords in all, and the
    SHA-256 of them; `gold` where their entities are known."""

    name: str
    texts: int
    subwords: int
    sha256: str
    gold: bool = False


@dataclass(frozen=True)
class Stillness:
    """How quiet the machine was during a round; None where it does not tell.

    `yardstick_ms` is the time of a fixed computation before and after the round (the mean), `others` the cores that
    other processes used, `stolen` the share of time that a hypervisor took, `throttled` how often the CPU slowed down.
    """

    yardstick_ms: float
    others: float | None = None
    stolen: float | None = None
    throttled: int | None = None
    celsius: float | None = None


@dataclass(frozen=True)
class Round:
    """A fresh process's turn: loading, the first call, warming up, and then the steady state.

    `samples` are milliseconds a query in the order of their ends (see `samples.py`), `seconds` the steady state's
    length, `cpu_seconds` what all threads used of the CPU in it, `rate` queries a second that a server was sent.
    """

    begun: str
    load_seconds: float
    first_ms: float
    warm_up_seconds: float
    seconds: float
    texts: int
    subwords: int
    cpu_seconds: float
    samples: str
    still: Stillness
    steady_rss_mb: float | None = None
    peak_rss_mb: float | None = None
    joules: float | None = None
    rate: float | None = None


@dataclass(frozen=True)
class Case:
    """What is compared: a variant on a device with so many threads, in a scenario on a work's texts.

    `samples_per_query` are texts that a query holds, `bound_ms` the p99 that a server must keep.
    """

    variant: str
    device: str
    threads: int
    scenario: str
    work: str
    samples_per_query: int = 1
    bound_ms: float | None = None


@dataclass(frozen=True)
class Figures:
    """What a row comes to; `metric` is the scenario's own by MLPerf's rules, in `unit`.

    Latencies are milliseconds a query; `load_seconds` to `energy` are medians over the rounds.
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
class Row:
    """A case with what it is made of, what came of it, and the rounds it was worked out from.

    `reason` says why it was not run or ended early; `marks` why its figures are to be doubted (a busy machine ...).
    `f1` is entity F1 where the work has gold labels. `energy` names what measured the joules, or why nothing did.
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
    figures: Figures | None = None
    f1: float | None = None
    energy: str = "not measurable here"
    rounds: tuple[Round, ...] = ()


@dataclass(frozen=True)
class BenchResult:
    """All rows of one run on one machine. `bundle_sha256` is the manifest's; `partial` where it was broken off."""

    name: str
    edgener_version: str
    bundle: str
    bundle_sha256: str
    begun: str
    seconds: float
    driver: str
    fingerprint: Fingerprint
    works: tuple[Work, ...]
    rows: tuple[Row, ...]
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
        """Whether any row is marked."""
        return any(row.marks for row in self.rows)


_AGAIN = "Copy it again, or run the bench again."


def read_result(path: Path) -> BenchResult:
    """The result in a file. Raises UserInputError where there is none, or one this version does not read."""
    try:
        return parse_result(path.read_text(encoding="utf-8"), str(path))
    except OSError as error:
        raise UserInputError(f"cannot read {path}: {error.strerror}", "Check the path and its permissions.") from None
    except UnicodeDecodeError as error:
        raise UserInputError(f"{path} is damaged: {error}", _AGAIN) from None


def parse_result(text: str, where: str) -> BenchResult:
    """The result that JSON holds; `where` names it in the UserInputError that is raised where it is none."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserInputError(f"{where} is damaged: {error}", _AGAIN) from None
    if not isinstance(found, dict) or found.get("kind") != KIND:
        raise UserInputError(f"{where} is no result of a bench", "Make one: edgener-runtime bench BUNDLE --out FILE")
    if (version := found.get("schema_version")) != SCHEMA_VERSION:
        raise UserInputError(
            f"{where} has schema version {version!r}; this edgener reads {SCHEMA_VERSION}",
            "Update edgener, or run the bench again.",
        )
    try:
        return from_json(BenchResult, text, where)
    except SchemaError as error:
        raise UserInputError(error.message, _AGAIN) from None

"""The schema of a benchmark's result as a page: every record with its fields, their meaning and units.

    python -m edgener.bench.schema

Keys and types are those of the records; a field without a description here is an error, so the page is complete.
"""

from __future__ import annotations

import inspect
import sys
import typing
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from types import UnionType
from typing import Any

from edgener_runtime.base.tables import markdown_table
from edgener_runtime.commissioning.bench.results.record import BenchResult
from edgener_runtime.errors import EdgenerError

_SCALARS = {str: "text", int: "whole number", float: "number", bool: "true or false"}

MEANINGS: dict[str, dict[str, str]] = {
    "BenchResult": {
        "name": "name of the machine: `--name`, else the Jetson's model or the CPU's",
        "edgener_version": "of the runtime that measured",
        "bundle": "the bundle's name, by its manifest",
        "bundle_sha256": "SHA-256 of the bundle's manifest, which names those of all its files",
        "started": "start time, in UTC (ISO 8601)",
        "seconds": "of the whole run",
        "driver": "sender of the queries: `builtin` or `loadgen`",
        "fingerprint": "the machine",
        "workloads": "the texts that were run",
        "rows": "one for each case",
        "notes": "reasons why this machine's speed may vary",
        "partial": "whether the run was interrupted before every row had ended",
        "kind": "`edgener-bench`: distinguishes it from other reports",
        "schema_version": "of this page; a result of another version is refused",
    },
    "MachineFingerprint": {
        "cpu": "model name (x86-64) or part number (arm64)",
        "isa": "instruction sets that decide which kernels run, `+` between them",
        "architecture": "`x86_64`, `aarch64` ...",
        "cores": "that the process may use, by affinity and by the container's limit",
        "memory": "bytes in total",
        "core_limit": "cores by the container's limit",
        "memory_limit": "bytes by the container's limit",
        "os": "name and version of the distribution",
        "kernel": "release of the kernel",
        "container": "`docker`, `podman`, `kubernetes` ...",
        "governor": "the CPU's frequency governor; several joined by `+`",
        "boost": "whether the CPU may boost above its sustained clock",
        "gpus": "names, by the CUDA driver",
        "driver": "versions of NVIDIA's driver and of the newest CUDA that it supports",
        "board": "a Jetson's model",
        "jetpack": "a Jetson's JetPack",
        "power_mode": "a Jetson's, by nvpmodel",
        "libraries": "versions of Python, of the packages that run the model, and of NVIDIA's libraries",
    },
    "Workload": {
        "name": "a file's name, `64 subwords`, or the fixed name of the synthetic texts",
        "texts": "how many",
        "subwords": "of all texts together",
        "sha256": "SHA-256 of the texts",
        "gold": "whether their entities are known",
    },
    "BenchRow": {
        "case": "what was measured",
        "precision": "of the variant, as in the bundle",
        "provider": "that really ran it, as the library calls it",
        "library": "that ran it, with its version",
        "sha256": "SHA-256 of the variant's model file",
        "size_bytes": "of that file",
        "status": "`measured`, `partial` or `not run`",
        "ended_by": "`precise`, `budget`, `interrupted` or `failed`",
        "reason": "why it was not run, or ended early",
        "marks": "warnings on its figures",
        "figures": "calculated from its rounds",
        "f1": "entity F1 against the gold entities, from 0 to 1",
        "energy": "the meter of the joules, or why there is none",
        "rounds": "each with all inputs of the figures",
    },
    "Case": {
        "variant": "name in the bundle, or `pytorch`",
        "device": "as for `--device`",
        "threads": "of the library that ran it",
        "scenario": "`single-stream`, `multi-stream`, `offline` or `server`",
        "workload": "name of the texts",
        "samples_per_query": "texts per query",
        "bound_ms": "limit of a server's 99th percentile in milliseconds",
    },
    "BenchFigures": {
        "metric": "the scenario's own figure",
        "unit": "of the metric: `ms` or `texts/s`",
        "p50_ms": "milliseconds per query: the median",
        "p90_ms": "the 90th percentile",
        "p95_ms": "the 95th percentile",
        "p99_ms": "the 99th percentile",
        "max_ms": "the longest of all rounds",
        "texts_per_second": "texts over the seconds of the steady state",
        "subwords_per_second": "the same of subwords",
        "cpu_seconds_per_1000": "CPU seconds of all threads per 1,000 texts",
        "load_seconds": "from the bundle on disk to a model that is ready",
        "first_ms": "milliseconds of the first call",
        "steady_rss_mb": "megabytes (10^6) in memory after the steady state",
        "peak_rss_mb": "megabytes (10^6) in memory at most",
        "joules_per_1000": "joules per 1,000 texts, only if they were measured",
    },
    "Round": {
        "started": "start time, in UTC (ISO 8601)",
        "load_seconds": "from the bundle on disk to a model that is ready",
        "first_ms": "milliseconds of the first call",
        "warm_up_seconds": "until passes got no faster",
        "seconds": "of the steady state",
        "texts": "answered in it",
        "subwords": "of these texts",
        "cpu_seconds": "of all threads in it",
        "samples": "milliseconds of each query, see below",
        "isolation": "activity of other processes and of the CPU's clock",
        "steady_rss_mb": "megabytes (10^6) in memory after it",
        "peak_rss_mb": "megabytes (10^6) in memory at most so far",
        "joules": "by the meter",
        "rate": "a server's queries per second",
    },
    "Isolation": {
        "reference_ms": "milliseconds of the reference workload: the mean of before and after",
        "others": "cores that other processes used",
        "stolen": "share, from 0 to 1, of the demanded CPU time that a hypervisor took",
        "throttled": "times that the CPU slowed down, or a container's limit halted its processes",
        "celsius": "degrees of the CPU's hottest sensor at the end",
    },
    "Interval": {
        "value": "the figure",
        "low": "the lower end of its 95 % interval",
        "high": "the upper end",
    },
}


def schema_page() -> str:
    """Every record of a result as a Markdown table, in the order of their first use."""
    return "\n".join(_table(cls) for cls in _records(BenchResult, {})).rstrip("\n")


def _records(cls: type, seen: dict[type, None]) -> list[type]:
    seen.setdefault(cls)
    for inner in _inner(cls):
        if inner not in seen:
            _records(inner, seen)
    return list(seen)


def _inner(cls: type) -> Iterator[type]:
    """The records in the fields of a record."""
    waiting = list(typing.get_type_hints(cls).values())
    while waiting:
        hint = waiting.pop(0)
        waiting[:0] = typing.get_args(hint)
        if is_dataclass(hint):
            yield typing.cast(type, hint)


def _table(cls: type) -> str:
    hints = typing.get_type_hints(cls)
    keys = {field.name: field.metadata.get("key", field.name) for field in fields(cls)}
    rows = ((f"`{key}`", _named(hints[name]), _meaning(cls, name)) for name, key in keys.items())
    about = inspect.getdoc(cls) or ""
    heading = f"**{cls.__name__}**: {' '.join(about.partition(chr(10) * 2)[0].split())}"
    return f"{heading}\n\n{markdown_table(('field', 'type', 'meaning'), rows)}"


def _meaning(cls: type, name: str) -> str:
    try:
        return MEANINGS[cls.__name__][name]
    except KeyError:
        hint = "Describe it in edgener/bench/schema.py."
        raise EdgenerError(f"{cls.__name__}.{name} is not described", hint) from None


def _named(hint: Any) -> str:
    """The name of a type in JSON."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, UnionType):
        return f"{_named(arguments[0])} or null"
    if origin is tuple:
        return f"list of {_named(arguments[0])}"
    if origin is dict:
        return f"{_named(arguments[1])} by name"
    return _SCALARS.get(hint) or hint.__name__


if __name__ == "__main__":
    sys.stdout.write(schema_page() + "\n")

"""The tables of README.md from the results that commands wrote: python benchmarks/tables.py results/variants/*.json"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

UNSIZED = "-"


def table(file: Path) -> str:
    """The Markdown table of what `edgener search` or `edgener export --json` wrote."""
    record = json.loads(file.read_text(encoding="utf-8"))
    return _search(record) if "trials" in record else _export(record)


def _search(record: dict[str, Any]) -> str:
    rows = [
        [
            trial["name"],
            ", ".join(f"{count} {form}" for form, count in sorted(trial["forms"].items())),
            f"{trial['size'] / 1e6:.1f}",
            f"{trial['speed']['throughput']['median']:,.0f}",
            f"{trial['speed']['latency_ms']['median']:.2f}",
            f"{trial['f1_difference']['value']:+.4f}",
            _share(trial["churn"]),
            trial["verdict"],
        ]
        for trial in record["trials"]
    ]
    return _markdown(
        ["mix", "products by form", "MB", "subwords/s", "ms a text", "against PyTorch", "churn", "verdict"], rows
    )


def _export(record: dict[str, Any]) -> str:
    written = {variant["name"]: variant for variant in record["variants"]}
    reports = {report["variant"]: report for report in record["parity"]}
    order = [*written, *(name for name in reports if name not in written)]
    rows = [[name, *_size_and_speed(written.get(name)), *_parity(reports[name])] for name in order]
    return _markdown(
        ["variant", "MB", "ms a text", "subwords/s", "F1", "against PyTorch", "churn", "batch effect", "verdict"], rows
    )


def _size_and_speed(variant: dict[str, Any] | None) -> list[str]:
    """Of what was written; forms for GPUs were not timed."""
    if not variant:
        return [UNSIZED] * 3
    size, speed = f"{variant['file']['size'] / 1e6:.1f}", variant["speed"]
    if not speed:
        return [size, UNSIZED, UNSIZED]
    latency = speed["latency_ms"]
    return [
        size,
        f"{latency['median']:.2f} ({latency['low']:.2f} to {latency['high']:.2f})",
        f"{speed['throughput']['median']:,.0f}",
    ]


def _parity(report: dict[str, Any]) -> list[str]:
    estimates = report["estimates"]
    overall = estimates["overall"]
    difference = overall["f1_difference"]
    needed = [judgement["needed"] for judgement in report["judgements"] if judgement.get("needed")]
    tell = f", {max(needed):,} entities would tell" if needed and report["verdict"] == "inconclusive" else ""
    return [
        f"{overall['f1']:.4f}",
        f"{difference['value']:+.4f} ({difference['low']:+.4f} to {difference['high']:+.4f})",
        _share(overall["churn"]),
        f"{estimates['batch_effect']['value']:.2%}",
        report["verdict"] + tell,
    ]


def _share(estimate: dict[str, float]) -> str:
    return f"{estimate['value']:.2%} ({estimate['low']:.2%} to {estimate['high']:.2%})"


def _markdown(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heading, ["---"] * len(heading), *rows]
    return "\n".join(f"| {' | '.join(line)} |".replace(" --- ", "---") for line in lines)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        print(f"{name}\n\n{table(Path(name))}\n")  # noqa: T201 - the output of this script

"""The tables of README.md and NOTES.md from the results that commands wrote: python benchmarks/tables.py FILE..."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from edgener_runtime.base.tables import markdown_table

UNSIZED = "-"
LEAST_SHARE = 0.02  # of a run's time, to be listed
GATE = {0: "pass", 3: "fail", 4: "inconclusive"}


def table(file: Path) -> str:
    """The Markdown table of a benchmark's or a command's JSON."""
    record = json.loads(file.read_text(encoding="utf-8"))
    return next(show(record) for key, show in READERS.items() if key in record)


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
        ["mix", "products by precision", "MB", "subwords/s", "ms per text", "against PyTorch", "churn", "verdict"], rows
    )


def _tuning(record: dict[str, Any]) -> str:
    """Of `edgener-runtime tune --json`: what was tried, best first."""
    rows = [
        [
            *(str(trial["tuning"][name]) for name in ("threads", "workers", "batch_subwords")),
            "yes" if trial["tuning"]["spinning"] else "no",
            f"{trial['latency_ms']:.2f}",
            f"{trial['texts_per_second']:,.0f}",
            f"{trial['cpu_ms']:.2f}",
        ]
        for trial in record["trials"]
    ]
    heading = [
        "threads per run",
        "concurrent runs",
        "subwords per run",
        "spinning",
        "ms per text alone",
        "texts/s together",
    ]
    return _markdown([*heading, "CPU ms per text"], rows)


def _export(record: dict[str, Any]) -> str:
    written = {variant["name"]: variant for variant in record["variants"]}
    reports = {report["variant"]: report for report in record["parity"]}
    order = [*written, *(name for name in reports if name not in written)]
    rows = [[name, *_size_and_speed(written.get(name)), *_parity(reports[name])] for name in order]
    return _markdown(
        ["variant", "MB", "ms per text", "subwords/s", "F1", "against PyTorch", "churn", "batch effect", "verdict"],
        rows,
    )


def _size_and_speed(variant: dict[str, Any] | None) -> list[str]:
    """Of what was written; variants for GPUs were not timed."""
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
    decide = f", {max(needed):,} entities would decide" if needed and report["verdict"] == "inconclusive" else ""
    return [
        f"{overall['f1']:.4f}",
        f"{difference['value']:+.4f} ({difference['low']:+.4f} to {difference['high']:+.4f})",
        _share(overall["churn"]),
        f"{estimates['batch_effect']['value']:.2%}",
        report["verdict"] + decide,
    ]


def _levers(record: dict[str, Any]) -> str:
    """Of benchmarks/levers.py: the first row in milliseconds, the others as times of it."""
    base, *others = record["logits"]
    shapes = record["milliseconds"].values()
    rows = [[base, *(f"{shape[base]['median']:.2f} ms" for shape in shapes), "0"]]
    rows += [
        [name, *(f"{shape[name]['ratio']:.2f}" for shape in shapes), f"{record['logits'][name]:.2g}"] for name in others
    ]
    return _markdown(["change", *record["milliseconds"], "logits differ by"], rows)


def _peers(record: dict[str, Any]) -> str:
    """Of `make bench-peers`; ratios are to our first row, which a bundle runs by default."""
    ours = next(row for row in record["rows"] if row["ours"])
    rows = [
        [
            f"**{row['name']}**" if row["ours"] else row["name"],
            *(_spread(row[f"p{percent}_ms"], ".2f") for percent in (50, 95, 99)),
            _spread(row["subwords_per_second"], ",.0f"),
            f"{row['f1_alone']:.4f}",
            f"{row['rss_mb']['median']:.0f}",
            f"{row['cold_start_s']['median']:.2f}",
            f"{row['p50_ms']['median'] / ours['p50_ms']['median']:.2f}",
            f"{row['p95_ms']['median'] / ours['p95_ms']['median']:.2f}",
            f"{row['subwords_per_second']['median'] / ours['subwords_per_second']['median']:.2f}",
        ]
        for row in record["rows"]
    ]
    heading = ["row", "p50 ms", "p95 ms", "p99 ms", "subwords/s", "F1", "RSS MB", "cold start s"]
    return _markdown([*heading, "p50 to ours", "p95 to ours", "speed to ours"], rows)


def _limit(record: dict[str, Any]) -> str:
    """Of benchmarks/product_limit.py: the model beside its products alone, and its operators' shares of the time."""
    rows = [
        [
            shape,
            f"{row['model_ms']:.2f}",
            f"{row['products_ms']:.2f}",
            f"{row['share']:.0%}",
            f"{row['model_subwords_per_second']:,.0f}",
            f"{row['limit_subwords_per_second']:,.0f}",
            ", ".join(f"{operator} {share:.0%}" for operator, share in shares.items() if share >= LEAST_SHARE),
        ]
        for row, (shape, shares) in zip(record["limit"], record["profile"].items(), strict=True)
    ]
    heading = ["texts x subwords", "model ms", "products ms", "share", "subwords/s", "limit", "where the time goes"]
    return _markdown(heading, rows)


def _spread(spread: dict[str, float], form: str) -> str:
    return f"{spread['median']:{form}} ({spread['low']:{form}} to {spread['high']:{form}})"


def _share(estimate: dict[str, float]) -> str:
    return f"{estimate['value']:.2%} ({estimate['low']:.2%} to {estimate['high']:.2%})"


def _markdown(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return markdown_table(heading, rows).rstrip("\n")


def _cost(record: dict[str, Any]) -> str:
    """Of cost_curves.py: milliseconds per text by its length and how many run together; a table per model, variant."""
    return "\n".join(map(_cost_of, record["cost"]))


def _cost_of(curve: dict[str, Any]) -> str:
    points = {(point["subwords"], point["texts"]): point for point in curve["points"]}
    lengths, batches = (sorted({shape[part] for shape in points}) for part in (0, 1))
    rows = [[str(length), *(_cost_per_text(points.get((length, texts))) for texts in batches)] for length in lengths]
    title = f"{curve['model']}, {curve['variant']}, {curve['threads']} threads"
    peak, read = curve["peak_operations_per_second"] / 1e9, curve["read_bytes_per_second"] / 1e9
    roofs = f"Rooflines: {peak:,.0f} billion operations per second, {read:.0f} GB of weights per second."
    return f"{title}\n\n{_markdown(['subwords', *(f'{texts} together' for texts in batches)], rows)}\n{roofs}\n"


def _cost_per_text(point: dict[str, Any] | None) -> str:
    return UNSIZED if point is None else f"{1000 * point['seconds'] / point['texts']:.2f}"


def _bench(record: dict[str, Any]) -> str:
    """Of `bench --out`: what the command printed."""
    from edgener_runtime.base.serde import from_json
    from edgener_runtime.commissioning.bench.results.record import BenchResult
    from edgener_runtime.commissioning.bench.results.table import table as as_text

    return f"```text\n{as_text(from_json(BenchResult, json.dumps(record), 'the result'))}\n```"


def _native(record: dict[str, Any]) -> str:
    """Of `make bench-native`: what the command printed."""
    from native.table import markdown

    return markdown(record)


def _gate(record: dict[str, Any]) -> str:
    """Of compare_trials.py: how much longer each run took than the base of its trial, and what the gate said."""
    rows = [
        [str(number), trial["order"], *("; then ".join(map(_judged, trial[run])) for run in ("same", "slowed"))]
        for number, trial in enumerate(record["trials"], 1)
    ]
    return _markdown(["trial", "order", "the same again", f"{record['planted']:.0%} slower"], rows)


def _judged(run: dict[str, Any]) -> str:
    found, judged = run["measured"]["value"], run["judged"]
    return f"{found:.3f} ({judged['low']:.3f} to {judged['high']:.3f}), {GATE[run['exit_code']]}"


# By a key that its record has and none further down.
READERS: dict[str, Callable[[dict[str, Any]], str]] = {
    "fingerprint": _bench,
    "goal": _tuning,
    "max_regression": _gate,
    "trials": _search,
    "parity": _export,
    "milliseconds": _levers,
    "leads": _peers,
    "limit": _limit,
    "cost": _cost,
    "native": _native,
}


if __name__ == "__main__":
    for name in sys.argv[1:]:
        print(f"{name}\n\n{table(Path(name))}\n")  # noqa: T201 - the output of this script

"""The results of benchmarks/bulk.py as a table: python benchmarks/bulk_tables.py benchmarks/results/bulk/*.json"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

PRICE = 0.05  # USD per core hour; what clouds ask lies around it


def table(records: Sequence[dict[str, Any]]) -> str:
    """A column per result, in Markdown."""
    columns = [figures(record) for record in records]
    head = ["| |", *(f" {record['bundle']['variant']}, {record['variant_mb']} MB |" for record in records)]
    rows = [f"| {name} | {' | '.join(column[name] for column in columns)} |" for name in columns[0]]
    return "\n".join(["".join(head), "|---|" + "---|" * len(columns), *rows])


def figures(record: dict[str, Any]) -> dict[str, str]:
    """What was measured, and what follows from it for a million texts."""
    tag, bare, memory, workers = record["tag"], record["bare"], record["memory"], record["workers"]
    hours = 1e6 / tag["texts_per_cpu_second"] / 3600
    return {
        "machine": f"{record['cpu']}, {record['cores']} cores",
        "load average": f"{record['load_average']:.0f}",
        "texts": f"{record['texts']:,}",
        "characters and entities per text": f"{record['characters_per_text']:.0f}, {record['entities_per_text']:.1f}",
        f"`tag`, {workers} workers": f"{tag['texts_per_second']:,.0f} texts/s",
        f"{workers} bare onnxruntime processes": f"{bare['texts_per_second']:,.0f} texts/s",
        "`tag` in relation to them": f"{record['ratio']:.2f}",
        "texts per CPU second, `tag`": f"{tag['texts_per_cpu_second']:,.0f}",
        "texts per CPU second, bare": f"{bare['texts_per_cpu_second']:,.0f}",
        "texts per hour and core that is free": f"{tag['texts_per_cpu_second'] * 3600:,.0f}",
        "core hours of a million texts": f"{hours:.2f}",
        f"their cost at {PRICE} USD per core hour": f"{hours * PRICE:.3f} USD",
        "peak memory of all processes": f"{memory['peak_mb']:,.0f} MB",
        "first half, last half": f"{memory['peak_first_half_mb']:,.0f} MB, {memory['peak_last_half_mb']:,.0f} MB",
        f"killed -9 {len(record['killed_after_seconds'])} times": "same bytes" if record["same_bytes"] else "DIFFER",
    }


if __name__ == "__main__":
    print(table([json.loads(Path(name).read_text(encoding="utf-8")) for name in sys.argv[1:]]))  # noqa: T201

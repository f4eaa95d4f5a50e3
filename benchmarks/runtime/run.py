"""How small and how enduring the runtime is, against what it promises; exit 1 where a promise is broken.

    python benchmarks/runtime/run.py BUNDLE --out benchmarks/results/runtime/minilm.json

measures in an environment of its own, below .cache/bench-runtime, a copy of BUNDLE that holds VARIANT alone, as a
device gets it: cold start, memory, import, installed sizes, a soak of texts of any length and any Unicode, and what is
left after close and after loading and closing again and again. Other work on the machine makes cold starts longer;
the JSON holds the load average, and CPU seconds beside seconds.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from environment import ROOT, device_python
from measure import first_entity, growth, import_seconds, sizes, soak
from promises import told, verdicts
from rich.console import Console
from rich.table import Table

from edgener_runtime.base.files import write_atomic
from edgener_runtime.bundle.manifest import MANIFEST, read_manifest
from edgener_runtime.machine.cpu import cpu_model, isa, usable_cores

PROMISED_TEXTS = 50_000


@click.command()
@click.argument("bundle", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--variant", default="int8-dynamic", show_default=True)
@click.option("--texts", type=click.IntRange(2), default=PROMISED_TEXTS, show_default=True, help="Texts of the soak.")
@click.option("--loads", type=click.IntRange(2), default=200, show_default=True, help="Times to load and close.")
@click.option("--runs", type=click.IntRange(1), default=15, show_default=True, help="Cold starts.")
@click.option("--python", type=click.Path(path_type=Path), help="Python to measure with [default: one of its own].")
@click.option("--out", type=click.Path(path_type=Path), required=True)
def main(bundle: Path, variant: str, texts: int, loads: int, runs: int, python: Path | None, out: Path) -> None:
    """Measure, print a table, write JSON."""
    operators = read_manifest(bundle).variant(variant).requirements.operators > 0
    python = python or device_python(ROOT / ".cache" / "bench-runtime", operators)
    began = time.monotonic()
    with _only(bundle, variant) as small:
        record = _measure(python, small, variant, texts, loads, runs)
    command = f"make bench-runtime BUNDLE=... VARIANT={variant} TEXTS={texts}"
    record |= {"seconds": round(time.monotonic() - began), "command": command, "machine": _machine()}
    write_atomic(out, json.dumps(record, indent=1) + "\n")
    _print(record)
    sys.exit(0 if all(verdict["kept"] for verdict in record["promises"].values()) else 1)


@contextmanager
def _only(bundle: Path, variant: str) -> Iterator[Path]:
    """A copy of a bundle with one variant of it."""
    manifest = read_manifest(bundle)
    entry = manifest.variant(variant)
    with tempfile.TemporaryDirectory(prefix="edgener-bench-") as folder:
        copy = Path(folder) / "bundle"
        for file in (*manifest.files, entry.file):
            (copy / file.path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(bundle / file.path, copy / file.path)
        (copy / MANIFEST).write_text(dataclasses.replace(manifest, variants=(entry,)).to_json(), encoding="utf-8")
        yield copy


def _measure(python: Path, bundle: Path, variant: str, texts: int, loads: int, runs: int) -> dict[str, Any]:
    spreads = first_entity(python, bundle, variant, runs) | {"import_s": import_seconds(python, runs)}
    said = soak(python, bundle, variant, texts, loads)
    medians = {key: measured.median for key, measured in spreads.items()}
    return {
        "bundle": read_manifest(bundle).name,
        "variant": variant,
        "bundle_bytes": sum(file.stat().st_size for file in bundle.rglob("*") if file.is_file()),
        "promises": verdicts(medians | growth(said)),
        "spreads": {key: dataclasses.asdict(measured) for key, measured in spreads.items()},
        "installed_bytes": sizes(python),
        "texts": {"ran": texts, "promised": PROMISED_TEXTS},
        "loads": loads,
        "soak": said,
    }


def _machine() -> dict[str, Any]:
    return {
        "cpu": cpu_model(),
        "isa": isa(),
        "cores": usable_cores(),
        "load_average": [round(load, 1) for load in os.getloadavg()],
        "date": datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
    }


def _print(record: dict[str, Any]) -> None:
    console = Console()
    table = Table(title=f"{record['bundle']}, {record['variant']}: {record['texts']['ran']:,} texts")
    for column in ("promise", "found", "at most", ""):
        table.add_column(column, justify="left" if column == "promise" else "right")
    for key, verdict in record["promises"].items():
        kept = "kept" if verdict["kept"] else "BROKEN"
        table.add_row(verdict["name"], told(key, verdict["found"]), told(key, verdict["most"]), kept)
    console.print(table)
    largest = sorted(record["installed_bytes"].items(), key=lambda item: -item[1])
    console.print(f"installed: {sum(size for _, size in largest) / 1e6:.0f} MB, most of it: "
                  + ", ".join(f"{name} {size / 1e6:.1f}" for name, size in largest[:5]))  # fmt: skip


main()

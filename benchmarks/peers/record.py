"""The run as JSON: figures, and all that they hold for."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from edgener_runtime.machine.cpu import cpu_model, isa

from .report import Row, leads_of
from .run import COLD_STARTS, Plan
from .worker import python_of

# what decides how fast or how right a peer is, of all that its environment holds
_PACKAGES = (
    "ctranslate2", "edgener-runtime", "nncf", "numpy", "onnxruntime", "openvino", "optimum", "optimum-onnx",
    "tokenizers", "torch", "transformers",
)  # fmt: skip


def to_json(plan: Plan, rows: Sequence[Row], seconds: float) -> str:
    """The record, indented."""
    record = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": " ".join(["python -m benchmarks.peers", *map(_unplaced, sys.argv[1:])]),
        "seconds": round(seconds),
        "cpu": cpu_model(),
        "isa": isa(),
        "threads": plan.place.threads,
        "checkpoint": plan.place.checkpoint.name,
        "bundle": plan.place.bundle.name,
        "sentences": len(plan.sentences),
        "subwords": plan.subwords,
        "latency_of": f"every {plan.every}th sentence, in order" if plan.every > 1 else "every sentence, in order",
        "rounds": plan.rounds,
        "cold_starts": COLD_STARTS,
        "versions": {name: versions(plan.place.cache, name) for name in sorted({p.environment for p in plan.peers})},
        "leads": {name: dataclasses.asdict(lead) for name, lead in leads_of(rows).items()},
        "rows": [dataclasses.asdict(row) for row in rows],
    }
    return json.dumps(record, indent=2) + "\n"


def versions(cache: Path, environment: str) -> dict[str, str]:
    """Name to version of the packages of an environment that matter."""
    done = subprocess.run(
        [python_of(cache, environment), "-m", "pip", "list", "--format", "json"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    found = {package["name"].lower(): package["version"] for package in json.loads(done.stdout)}
    return {name: found[name] for name in _PACKAGES if name in found}


def _unplaced(argument: str) -> str:
    """An argument without the folders of this machine."""
    return Path(argument).name if Path(argument).is_absolute() else argument

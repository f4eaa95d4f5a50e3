"""The run as JSON: figures, and all that they hold for."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from edgener_runtime.machine.cpu import cpu_model, isa

from .environments import versions
from .report import Row, leads_of
from .run import COLD_STARTS, Plan


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
        "churn_against": plan.reference.name,
        "versions": {name: versions(plan.place.cache, name) for name in sorted({p.environment for p in plan.peers})},
        "leads": {name: dataclasses.asdict(lead) for name, lead in leads_of(rows).items()},
        "rows": [dataclasses.asdict(row) for row in rows],
    }
    return json.dumps(record, indent=2) + "\n"


def _unplaced(argument: str) -> str:
    """An argument without the folders of this machine."""
    return Path(argument).name if Path(argument).is_absolute() else argument

"""Exit 1 unless two outputs of entities.py have the same texts, and in them the same labels at the same places.

python tools/arm64/compare.py x86-64.jsonl arm64.jsonl
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

Record = dict[str, Any]


def main(one: Path, other: Path) -> None:
    """Print a line a variant, and exit."""
    here, there = (_read(file) for file in (one, other))
    if not here or [_asked(record) for record in here] != [_asked(record) for record in there]:
        sys.exit(f"{one} and {other} are not about the same texts")
    pairs = defaultdict(list)
    for mine, its in zip(here, there, strict=True):
        pairs[mine["variant"]].append((mine, its))
    machines = f"{here[0]['machine']} and {there[0]['machine']}"
    differing = sum([_tell(variant, machines, both) for variant, both in pairs.items()])
    sys.exit(1 if differing else 0)


def _tell(variant: str, machines: str, pairs: list[tuple[Record, Record]]) -> int:
    """Print how a variant's answers compare; returns how many texts have other entities."""
    differing = [mine["text"] for mine, its in pairs if _places(mine) != _places(its)]
    scores = [
        abs(one["score"] - other["score"])
        for mine, its in pairs
        for one, other in zip(mine["entities"], its["entities"], strict=False)
    ]
    verdict = f"{len(differing)} texts differ: {differing[:3]}" if differing else "all labels equal"
    _say(f"{variant}: {len(pairs)} texts, {len(scores)} entities on {machines}: {verdict}; "
         f"scores within {max(scores, default=0):.1e}")  # fmt: skip
    return len(differing)


def _read(file: Path) -> list[Record]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def _asked(record: Record) -> tuple[str, str]:
    return record["variant"], record["text"]


def _places(record: Record) -> list[tuple[str, int, int]]:
    return [(entity["label"], entity["start"], entity["end"]) for entity in record["entities"]]


def _say(line: str) -> None:
    print(line)  # noqa: T201 - a program's output


main(Path(sys.argv[1]), Path(sys.argv[2]))

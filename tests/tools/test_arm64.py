"""The comparison of two machines' answers: equal labels pass, whatever else ends it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

COMPARE = Path(__file__).resolve().parents[2] / "tools" / "arm64" / "compare.py"
ENTITY = {"label": "FAULT", "start": 0, "end": 3, "score": 0.9, "text": "oil"}
Record = dict[str, Any]


def record(*entities: Record, text: str = "oil leak", machine: str = "aarch64") -> Record:
    return {"variant": "fp32", "machine": machine, "text": text, "entities": list(entities)}


def compare(folder: Path, one: list[Record], other: list[Record]) -> subprocess.CompletedProcess[str]:
    files = [folder / "one.jsonl", folder / "other.jsonl"]
    for file, records in zip(files, (one, other), strict=True):
        file.write_text("".join(json.dumps(record) + "\n" for record in records))
    return subprocess.run([sys.executable, COMPARE, *files], capture_output=True, text=True, check=False)


def test_equal_labels_pass_and_the_scores_are_told(tmp_path: Path) -> None:
    done = compare(tmp_path, [record(ENTITY, machine="x86_64")], [record(ENTITY | {"score": 0.899})])
    assert done.returncode == 0
    assert done.stdout == ("fp32: 1 texts, 1 entities on x86_64 and aarch64: all labels equal; scores within 1.0e-03\n")


@pytest.mark.parametrize(
    "other",
    [[record()], [record(ENTITY | {"label": "ACTION"})], [record(ENTITY | {"end": 4})], [record(ENTITY, ENTITY)]],
    ids=["none", "another label", "another place", "one more"],
)
def test_another_entity_fails(other: list[Record], tmp_path: Path) -> None:
    done = compare(tmp_path, [record(ENTITY)], other)
    assert done.returncode == 1
    assert "1 texts differ: ['oil leak']" in done.stdout


@pytest.mark.parametrize(
    ("one", "other"),
    [([], []), ([record(ENTITY)], []), ([record(ENTITY)], [record(ENTITY, text="oil")])],
    ids=["nothing", "fewer texts", "another text"],
)
def test_other_texts_are_no_comparison(one: list[Record], other: list[Record], tmp_path: Path) -> None:
    done = compare(tmp_path, one, other)
    assert done.returncode == 1 and "are not about the same texts" in done.stderr

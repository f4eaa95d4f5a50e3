"""The committed tables of int8-native are those of the committed figures, and hold a run that means something."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from benchmarks.native.parts import PARTS
from benchmarks.native.table import page

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks" / "results" / "native"
FILES = sorted(FOLDER.glob("*.json"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_tables_are_those_of_the_figures(file: Path) -> None:
    record = json.loads(file.read_text(encoding="utf-8"))
    assert file.with_suffix(".md").read_text(encoding="utf-8") == page(record), (
        "python -m benchmarks.native writes both"
    )
    assert not any(part["quick"] for part in record["native"].values())
    assert set(record["native"]) <= set(PARTS)

"""The page on training, and the section of the benchmarks, have the committed figures for few sentences."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import mean

ROOT = Path(__file__).resolve().parents[2]
FOUND = json.loads((ROOT / "benchmarks" / "results" / "few" / "factory-cognition.json").read_text(encoding="utf-8"))


def test_the_tables_have_the_committed_figures() -> None:
    page = (ROOT / "docs" / "how-to" / "train.md").read_text(encoding="utf-8")
    section = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")
    for row in FOUND["rows"]:
        both = (row["defaults"]["f1"], row["chosen"]["f1"])
        means = " | ".join(f"{mean(each):.3f}" for each in both)
        assert f"| {row['sentences']} | {row['chosen']['epochs']} | {means} |" in page
        seeds = " | ".join(", ".join(f"{f1:.4f}" for f1 in each) for each in both)
        assert f"| {row['sentences']} | {seeds} |" in section
        assert mean(both[0]) < mean(both[1])

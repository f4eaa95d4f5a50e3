"""The page on the checks of bundles has the committed counts of the fuzzing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PAGE = " ".join((ROOT / "docs" / "explanation" / "bundle-checks.md").read_text(encoding="utf-8").split())
FUZZ: dict[str, Any] = json.loads((ROOT / "benchmarks" / "results" / "bundle" / "fuzz.json").read_text("utf-8"))


def test_the_text_has_the_committed_counts() -> None:
    bundles, answered = FUZZ["bundles"], FUZZ["ends"]["exit 0"]
    assert f"each of {bundles:,} changed bundles" in PAGE
    assert f"answered ({answered:,}) or refused with a reason ({bundles - answered:,})" in PAGE
    assert f"took more than {FUZZ['megabytes at most']} MB" in PAGE


def test_the_committed_run_took_ten_minutes_and_lost_no_process() -> None:
    assert FUZZ["seconds"] == 600
    assert set(FUZZ["ends"]) <= {"exit 0", "exit 2", "exit 3", "exit 5", "exit 6"}
    assert sum(FUZZ["ends"].values()) == sum(FUZZ["changed"].values()) == FUZZ["bundles"]

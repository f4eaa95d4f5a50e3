"""The counts of docs/explanation/statistics.md are those that the command wrote, and it counts as it says."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from benchmarks.interval_coverage import LAWS, ROUNDS, Counted, Law, count, pooled, run, table

from edgener_runtime.commissioning.bench.results.statistics import LEAST_ROUNDS

ROOT = Path(__file__).resolve().parents[2]
WRITTEN = json.loads((ROOT / "benchmarks" / "results" / "bench" / "coverage.json").read_text(encoding="utf-8"))
COUNTED = [Counted(**row) for row in WRITTEN["counted"]]


def test_the_page_shows_what_was_written() -> None:
    page = (ROOT / "docs" / "explanation" / "statistics.md").read_text(encoding="utf-8")
    shown = page.partition("<!-- coverage -->")[2].partition("<!-- /coverage -->")[0].strip("\n")
    assert shown == table(COUNTED)


def test_what_was_written_keeps_the_promises() -> None:
    assert [(row.law, row.rounds) for row in COUNTED] == [(law.name, rounds) for law in LAWS for rounds in ROUNDS]
    assert all(0.90 <= row.median_held <= 0.99 and 0.90 <= row.p99_held <= 0.99 for row in COUNTED)
    assert all(row.false_differences < 0.05 for row in COUNTED if row.rounds >= LEAST_ROUNDS)
    assert all(row.pooled_held < 0.75 for row in COUNTED)


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.name)
def test_a_few_trials_count_the_same(law: Law) -> None:
    found = count(law, 7, 60, np.random.default_rng(3))
    assert found.median_held > 0.8 and found.false_differences < 0.2 < found.slowdowns_found


def test_neighbours_are_alike_and_queries_about_ten_milliseconds() -> None:
    (found,) = run(LAWS[0], 1, np.random.default_rng(1))
    assert 8 < np.median(found) < 12
    assert np.corrcoef(found[:-1], found[1:])[0, 1] > 0.2
    assert pooled(found[None], np.random.default_rng(1)).low < 12

"""The sizing of docs/how-to/bulk.md is that of the committed measurements, which hold what is promised."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "how-to" / "bulk.md").read_text(encoding="utf-8")
FILES = sorted((ROOT / "benchmarks" / "results" / "bulk").glob("*.json"))
RECORDS = [json.loads(file.read_text(encoding="utf-8")) for file in FILES]
sys.path.insert(0, str(ROOT / "benchmarks"))
from bulk_tables import table  # noqa: E402


def test_the_page_has_the_figures_that_were_measured() -> None:
    assert RECORDS and table(RECORDS) in PAGE


@pytest.mark.parametrize("record", RECORDS, ids=[file.stem for file in FILES])
def test_memory_is_flat_and_killed_jobs_end_alike(record: dict[str, dict[str, float]]) -> None:
    assert record["same_bytes"]
    memory = record["memory"]
    assert memory["peak_last_half_mb"] < 1.1 * memory["peak_first_half_mb"]


def test_a_model_of_the_usual_size_is_as_fast_as_bare_onnxruntime() -> None:
    [record] = [record for record, file in zip(RECORDS, FILES, strict=True) if file.stem.startswith("minilm")]
    assert record["ratio"] >= 0.9
    assert record["tag"]["texts_per_cpu_second"] >= 0.9 * record["bare"]["texts_per_cpu_second"]


def test_a_million_texts_were_tagged() -> None:
    assert any(record["texts"] >= 1_000_000 for record in RECORDS)

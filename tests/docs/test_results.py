"""The README's table of results and its comparison with another engine are the committed figures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
RESULTS = ROOT / "benchmarks" / "results"
EXPORT: dict[str, Any] = json.loads((RESULTS / "variants" / "conll2003-export.json").read_text(encoding="utf-8"))
PEERS: dict[str, Any] = json.loads((RESULTS / "peers" / "conll2003.json").read_text(encoding="utf-8"))
COLUMNS = ("variant", "size", "latency per text", "subwords per second", "entity F1", "churn against PyTorch")


def between(name: str) -> str:
    return README.partition(f"<!-- {name}: begin -->")[2].partition(f"<!-- {name}: end -->")[0].strip()


def results_table(export: dict[str, Any]) -> str:
    """PyTorch, then each variant that was timed, from no churn to the most."""
    timed = sorted((variant for variant in export["variants"] if variant["speed"]), key=lambda v: v["parity"]["churn"])
    rows = [("PyTorch FP32", "-", "-", "-", f"{timed[0]['parity']['f1_pytorch']:.4f}", "reference")]
    for variant in timed:
        speed, parity = variant["speed"], variant["parity"]
        size, latency = f"{variant['file']['size'] / 1e6:.1f} MB", f"{speed['latency_ms']['median']:.2f} ms"
        throughput, f1 = f"{speed['throughput']['median']:,.0f}", f"{parity['f1']:.4f}"
        rows.append((variant["name"], size, latency, throughput, f1, f"{parity['churn']:.2%}"))
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (COLUMNS, ["---"] * len(COLUMNS), *rows))


def test_the_table_has_the_committed_figures() -> None:
    assert between("results") == results_table(EXPORT), "paste the table that the test makes"


def test_the_text_around_it_has_the_committed_figures() -> None:
    report = next(report for report in EXPORT["parity"] if report["variant"] == "int8-dynamic")
    [entities] = {found["entities"] for found in report["judgements"] if found["figure"] == "f1_drop"}
    sentences = report["figures"]["sentences"]
    assert f"({sentences:,} sentences, {entities:,} entities)" in README
    assert {variant["speed"]["threads"] for variant in EXPORT["variants"] if variant["speed"]} == {2}


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("edgener-runtime int8-dynamic", "edgener-runtime (int8-dynamic)"),
        ("plain onnxruntime, optimum's INT8", "plain onnxruntime (optimum's INT8)"),
        ("transformers pipeline, PyTorch FP32", "transformers' pipeline (PyTorch FP32)"),
    ],
)
def test_the_comparison_has_the_committed_figures(row: str, words: str) -> None:
    [found] = [peer for peer in PEERS["rows"] if peer["name"] == row]
    assert f"{found['p50_ms']['median']:.2f} ms with {words}" in " ".join(between("peers").split())


def test_a_changed_figure_is_found() -> None:
    changed = json.loads(json.dumps(EXPORT))
    changed["variants"][0]["parity"]["churn"] += 0.01
    assert results_table(changed) != between("results")

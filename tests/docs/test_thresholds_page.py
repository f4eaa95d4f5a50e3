"""The page on thresholds, and the section of the benchmarks, have the committed figures."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from edgener.confidence.thresholds import fewest_examples

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "confidence"
PAGE = (ROOT / "docs" / "how-to" / "thresholds.md").read_text(encoding="utf-8")
SECTION = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")
PRECISIONS = ("0.8", "0.9", "0.95")


def read(name: str, data: str = "factory") -> Any:
    return json.loads((RESULTS / f"{data}-{name}.json").read_text(encoding="utf-8"))


def share(found: dict[str, int], of: str) -> str:
    return f"{found['correct'] / found[of]:.4f}"


def test_the_calibration_errors_are_those_that_were_measured() -> None:
    found = read("evaluation")["reliability"]
    for kind in ("tokens", "entities"):
        before, after = (found[kind][side] for side in ("before", "after"))
        assert f"{kind:<11}{before['count']:,}   {before['error']:.4f}      {after['error']:.4f}" in PAGE
    assert f"temperature {found['temperature']:g}, {found['origin']}" in PAGE


@pytest.mark.parametrize("split", ["valid", "test"])
def test_the_tables_are_those_that_were_printed(split: str) -> None:
    labels = read("thresholds-0.9")["labels"]
    for label, row in labels.items():
        before, after = row["before"][split], row["after"][split]
        threshold = row["choice"]["threshold"]
        shown = "none" if threshold is None else f"{threshold:.4f}"
        precision = f"{share(before, 'found')} → {share(after, 'found')}"
        recall = f"{share(before, 'gold')} → {share(after, 'gold')}"
        assert f"{label:<13}{shown:<11}{precision}  {recall}" in PAGE


def test_the_numbers_of_examples_are_those_of_the_bound() -> None:
    for precision in (0.8, 0.9, 0.95, 0.99):
        assert f"| {precision:g} | {fewest_examples(precision)} |" in PAGE


def test_the_section_of_the_benchmarks_has_the_committed_figures() -> None:
    lines = [*temperature_rows(), conll2003_errors(), *threshold_rows("factory", PRECISIONS)]
    for row in (*lines, *threshold_rows("conll2003", ("0.9", "0.95", "0.98"))):
        assert row in SECTION, row


def conll2003_errors() -> str:
    found = read("evaluation", "conll2003")["reliability"]
    errors = [found[kind][side]["error"] for kind in ("tokens", "entities") for side in ("before", "after")]
    return f"| {found['temperature']:.4f} | {' | '.join(f'{error:.4f}' for error in errors)} |"


def temperature_rows() -> list[str]:
    lines = []
    for row in read("temperatures")["variants"]:
        cells = [row["variant"], f"{row['temperature']:.4f}"]
        for kind in ("tokens", "entities"):
            cells += [f"{row['errors'][kind][name]:.4f}" for name in ("as_trained", "own", "shared")]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def threshold_rows(data: str, precisions: Sequence[str]) -> list[str]:
    lines = []
    for label in read("thresholds-0.9", data)["labels"]:
        cells = [label]
        for precision in precisions:
            row = read(f"thresholds-{precision}", data)["labels"][label]
            before, after = row["before"]["test"], row["after"]["test"]
            lost = (before["correct"] - after["correct"]) / before["gold"]
            none = row["choice"]["threshold"] is None
            cells.append("none" if none else f"{share(after, 'found')}, lost {lost:.4f}")
        lines.append(f"| {' | '.join(cells)} |")
    return lines

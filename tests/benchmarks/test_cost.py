"""The page on costs shows what the committed curves print, and the shapes that are left out are those too long."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CURVES = ROOT / "benchmarks" / "results" / "cost" / "epyc-zen4.json"
cost = runpy.run_path(str(ROOT / "benchmarks" / "cost_curves.py"))


def test_the_page_shows_the_committed_curves() -> None:
    page = (ROOT / "docs" / "explanation" / "cost.md").read_text(encoding="utf-8")
    command = [sys.executable, "benchmarks/tables.py", str(CURVES)]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    shown = page.split("<!-- curves -->\n")[1].split("<!-- /curves -->")[0]
    assert shown.strip() == printed.split("\n\n", 1)[1].strip()


def test_operations_are_those_of_products_and_attention() -> None:
    size = cost["Size"](layers=6, width=384, inner=1536)
    assert size.weights == 10_616_832
    assert size.operations(2, 8) == 2 * 8 * (2 * size.weights + 4 * 8 * 384 * 6)


@pytest.mark.parametrize(("shape", "left_out"), [((512, 1), False), ((16, 4), False), ((16, 8), True), ((32, 2), True)])
def test_a_shape_is_left_out_where_half_as_many_texts_took_too_long(shape: tuple[int, int], left_out: bool) -> None:
    found = {(16, 1): [0.1], (16, 2): [0.2], (16, 4): [0.4]}
    assert cost["_too_long"](shape, found, 0.5) is left_out


def test_curves_of_a_form_share_the_machine_s_best_peak() -> None:
    curves = [
        {"variant": variant, "threads": threads, "peak_operations_per_second": peak}
        for variant, threads, peak in (("fp32", 1, 5.0), ("fp32", 1, 7.0), ("fp32", 2, 9.0), ("int8-dynamic", 1, 6.0))
    ]
    peaks = [curve["peak_operations_per_second"] for curve in cost["with_best_peaks"](curves)]
    assert peaks == [7.0, 7.0, 9.0, 6.0]

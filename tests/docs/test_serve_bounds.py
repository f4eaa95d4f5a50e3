"""The figures of docs/how-to/serve.md are those of benchmarks/results/serve/bounds.json."""

from __future__ import annotations

import json
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "how-to" / "serve.md").read_text(encoding="utf-8")
BOUNDS = json.loads((ROOT / "benchmarks" / "results" / "serve" / "bounds.json").read_text(encoding="utf-8"))


def test_the_table_has_the_figures_that_were_measured() -> None:
    before, after = BOUNDS["before"], BOUNDS["after"]
    for cells in (
        [f"{at['idle_log_bytes']:,} bytes, {at['idle_cpu_seconds']} s" for at in (before, after)],
        [f"{at['idle_health_seconds']} s".replace("None s", "no answer") for at in (before, after)],
        [f"{at['bodies_memory_mb']} MB" for at in (before, after)],
        [f"{at['short_seconds_beside_long']} s" for at in (before, after)],
        [str(at["hang_ready_status"]) for at in (before, after)],
    ):
        assert f"| {' | '.join(cells)} |" in PAGE


def test_the_bounds_hold() -> None:
    after = BOUNDS["after"]
    assert after["bodies_memory_mb"] < 3 * 32 * 1.05
    assert after["long_status"] == 200
    assert after["hang_exit_code_after_three_signals"] == 128 + 15
    assert after["at_once_answered"] == 1000

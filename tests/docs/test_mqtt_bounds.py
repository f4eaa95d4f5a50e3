"""The page on delivery over MQTT has the committed figures of its bounds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "explanation" / "mqtt-delivery.md").read_text(encoding="utf-8")
BOUNDS: dict[str, Any] = json.loads((ROOT / "benchmarks" / "results" / "mqtt" / "bounds.json").read_text("utf-8"))

FUZZ: dict[str, Any] = json.loads((ROOT / "benchmarks" / "results" / "mqtt" / "fuzz.json").read_text("utf-8"))


def bounds_table(bounds: dict[str, Any]) -> str:
    """A row per figure over MQTT 5."""
    before, after = (bounds[name]["mqtt 5"] for name in ("before", "after"))
    rows = [
        ("", "before", "after"),
        ("---",) * 3,
        ("nested: without a reply", *(str(run["nested_without_reply"]) for run in (before, after))),
        ("nested: the bridge ended", *("yes" if run["nested_ended_the_bridge"] else "no" for run in (before, after))),
        ("10 MB: memory above the idle bridge", *(f"{run['long_memory_mb']:.0f} MB" for run in (before, after))),
        ("stop: seconds", *(f"{run['stop_seconds']:.0f}" for run in (before, after))),
        ("two bridges: exit code of one", *(str(run["second_bridge_exit_code"] or "none") for run in (before, after))),
    ]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


def test_the_table_has_the_committed_figures() -> None:
    table = PAGE.partition("<!-- bounds: begin -->")[2].partition("<!-- bounds: end -->")[0].strip()
    assert table == bounds_table(BOUNDS), "paste the table that the test makes"


def test_a_changed_figure_is_found() -> None:
    changed = {**BOUNDS, "after": {"mqtt 5": {**BOUNDS["after"]["mqtt 5"], "long_memory_mb": 99}}}
    assert bounds_table(changed) != bounds_table(BOUNDS)


def test_after_every_message_has_a_reply_and_no_bridge_ends_but_the_second_of_a_name() -> None:
    for run in (value for name, value in BOUNDS["after"].items() if name.startswith("mqtt")):
        assert (run["nested_without_reply"], run["long_without_reply"], run["nested_ended_the_bridge"]) == (0, 0, False)
        assert run["second_bridge_exit_code"] == 2


def test_the_text_has_the_committed_counts_of_the_fuzzing() -> None:
    text = " ".join(PAGE.split())
    assert FUZZ["accepted"] == FUZZ["replies"] and FUZZ["seconds"] == 600
    assert f"mosquitto took {FUZZ['accepted']:,} of them" in text
    assert f"within {FUZZ['megabytes above the idle bridge']} MB above" in text

"""benchmarks/serve_load.py: requests a second, latencies, and a restart under load that loses nothing."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from click.testing import CliRunner

pytest.importorskip("uvicorn", reason="the runtime's extra serve is not installed")

ROOT = Path(__file__).resolve().parents[2]
BUNDLE = ROOT / "runtime" / "tests" / "bundle"


@pytest.fixture(scope="module")
def script(benchmark_script: Callable[[str], ModuleType]) -> ModuleType:
    return benchmark_script("serve_load")


def load(script: ModuleType, bundle: Path, out: Path) -> Any:
    words = [bundle, "--data", "builtin:factory", "--seconds", 2, "--connections", 16, "--out", out]
    return CliRunner().invoke(script.main, list(map(str, words)))


def test_a_restart_under_load_loses_nothing(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(script, "MOST_RATIO", 100)  # a second on a busy machine says little
    done = load(script, BUNDLE, tmp_path / "load.json")
    assert done.exit_code == 0, done.output
    record = json.loads((tmp_path / "load.json").read_text(encoding="utf-8"))
    assert record["serves"] == "tiny-factory, int8-dynamic on CPUExecutionProvider"
    assert record["requests"] > 20
    assert (record["lost"], record["broken_off"], record["errors"]) == (0, 0, {})
    assert [stop["exit_code"] for stop in record["stops"]] == [0, 0]
    assert all(stop["accepted"] == stop["answered"] > 0 for stop in record["stops"])
    latency = record["latency_ms"]
    beside = record["beside_a_long_request"]
    assert beside["short_errors"] == 0 and beside["long_errors"] == {}
    assert beside["long_request"]["characters"] > 2048
    assert len(beside["long_seconds"]) > 0 and min(beside["short_requests"]) > 0
    assert 0 < latency["p50"] <= latency["p95"] <= latency["p99"] <= latency["max"]


def test_a_server_that_does_not_start_is_told_with_what_it_said(script: ModuleType, tmp_path: Path) -> None:
    done = load(script, tmp_path, tmp_path / "load.json")
    assert done.exit_code == 1
    assert "the server did not start" in done.output
    assert "manifest.json" in done.output
    assert not (tmp_path / "load.json").exists()


@pytest.mark.parametrize(
    ("statuses", "broken_off", "accepted", "beside", "found"),
    [
        ({200: 9}, 0, 10, {}, {"lost": 1}),
        ({200: 9, 503: 1}, 0, 9, {}, {"errors": {"503": 1}}),
        ({200: 9}, 1, 9, {}, {"broken_off": 1}),
        ({200: 9}, 0, 9, {}, {}),
        ({200: 9}, 0, 9, {"ratio": 5.1}, {"ratio": 5.1}),
        ({200: 9}, 0, 9, {"short_errors": 1}, {"short_errors": 1}),
        ({200: 9}, 0, 9, {"long_errors": {"504": 1}}, {"long_errors": {"504": 1}}),
    ],
)
def test_what_was_lost_is_counted_and_fails(
    statuses: dict[int, int], broken_off: int, accepted: int, beside: dict[str, Any], found: dict[str, Any],
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    async def measured(*_: Any) -> Any:
        tally = script.Tally([0.1, 0.2, 0.3], Counter(statuses), broken_off)
        return tally, [script.Stop(accepted, accepted, 1.0, 0)], "a bundle"

    async def measured_beside(*_: Any) -> Any:
        return {"ratio": 1.0, "short_errors": 0, "long_errors": {}} | beside

    monkeypatch.setattr(script, "measure", measured)
    monkeypatch.setattr(script, "measure_beside_long", measured_beside)
    done = load(script, BUNDLE, tmp_path / "load.json")
    record = json.loads((tmp_path / "load.json").read_text(encoding="utf-8"))
    counted = {name: record[name] for name in ("lost", "errors", "broken_off") if record[name]}
    counted |= {name: value for name, value in record["beside_a_long_request"].items() if name in beside}
    assert (counted, done.exit_code) == (found, int(bool(found)))

"""benchmarks/store_load.py: activations and rollbacks under load fail no request, and every answer names its bundle."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

pytest.importorskip("uvicorn", reason="the runtime's extra serve is not installed")
pytest.importorskip("paho", reason="the runtime's extra mqtt is not installed")

ROOT = Path(__file__).resolve().parents[2]
BUNDLE = ROOT / "runtime" / "tests" / "bundle"
RESULT = json.loads((ROOT / "benchmarks" / "results" / "serve" / "store-load.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def script(benchmark_script: Callable[[str], ModuleType]) -> ModuleType:
    return benchmark_script("store_load")


@pytest.mark.trust
def test_activations_and_rollbacks_under_load_fail_no_request(
    script: ModuleType, tmp_path: Path, record_property: Callable[..., None]
) -> None:
    load = script.Load()
    for name, figures in script.measure(BUNDLE, tmp_path, load).items():
        assert not script.is_broken(figures), figures
        assert all(figures.answers_by_bundle.values())
        record_property(f"activations under load ({name})", load.activations)
        record_property(f"rollbacks under load ({name})", load.rollbacks)
        record_property(f"answers under load ({name})", figures.answers)
        record_property(f"failed requests ({name})", figures.failed)


def test_each_fault_breaks_it(script: ModuleType) -> None:
    good = script.Figures(**RESULT["serve"])
    assert not script.is_broken(good)
    for fault in ({"failed": 1}, {"without_version": 1}, {"exit_code": 7}, {"answers": 0}):
        assert script.is_broken(replace(good, **fault))


def test_the_committed_figures_are_those_of_the_page(script: ModuleType) -> None:
    load = script.Load()
    assert [RESULT[name] for name in ("clients", "activations", "rollbacks")] == [
        load.clients, load.activations, load.rollbacks,
    ]  # fmt: skip
    page = (ROOT / "docs" / "how-to" / "store.md").read_text(encoding="utf-8")
    for name in ("serve", "mqtt"):
        assert not script.is_broken(script.Figures(**RESULT[name]))
        assert f"{RESULT[name]['answers']:,}" in page

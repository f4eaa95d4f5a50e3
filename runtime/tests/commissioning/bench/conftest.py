"""Fixtures of the benchmark's tests: a spec of the small bundle, and planted workers instead of the real one."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from edgener_runtime.commissioning.bench.plan import BenchTarget
from edgener_runtime.commissioning.bench.spec import Spec

PlantWorker = Callable[[str], BenchTarget]
_EVENTS = """
import json, os, signal, sys, time
job = json.loads(sys.stdin.readline())
def report(**event): print(json.dumps(event), flush=True)
def loaded(): report(event="loaded", provider="P", library="L 1", energy="not measurable here")
def main():
    {body}
    return 0
"""


@pytest.fixture
def ask(bundle: Path) -> Callable[..., Spec]:
    """`ask(seconds=1)` is a spec of the small bundle's fp32 on the CPU, with the built-in driver."""
    return partial(Spec, str(bundle), variants=("fp32",), devices=("cpu",), threads=(1,), driver="builtin")


@pytest.fixture
def plant_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PlantWorker:
    """`plant_worker("os.abort()")` is a target whose process runs this code; it has `job`, `report` and `loaded`."""
    folder = tmp_path / "planted"
    folder.mkdir()
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]))
    count = 0

    def plant(body: str) -> BenchTarget:
        nonlocal count
        count += 1
        (folder / f"planted_{count}.py").write_text(_EVENTS.format(body=body.replace("\n", "\n    ")))
        return BenchTarget(f"planted-{count}", "cpu", 1, 1, "fp32", "0" * 64, 10, "nothing", f"planted_{count}")

    return plant

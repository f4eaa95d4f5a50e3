"""The pages on the benchmark show a result as it was written, and name every option and scenario."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from edgener_runtime.cli.main import main
from edgener_runtime.commissioning.bench.drivers.scenarios import SCENARIOS

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "how-to" / "benchmark.md").read_text(encoding="utf-8")
OPTIONS = (ROOT / "docs" / "reference" / "benchmark-options.md").read_text(encoding="utf-8")
EXAMPLE = ROOT / "benchmarks" / "results" / "bench" / "conll2003.json"


def test_the_example_is_what_the_command_printed(benchmark_script: Callable[[str], ModuleType]) -> None:
    shown = PAGE.partition("<!-- example -->")[2].partition("<!-- /example -->")[0].strip("\n")
    assert shown == benchmark_script("tables").table(EXAMPLE), f"paste what benchmarks/tables.py {EXAMPLE.name} prints"


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_scenario_is_described(scenario: str) -> None:
    assert f"| `{scenario}` |" in OPTIONS


def test_every_option_of_the_command_is_described_and_no_other() -> None:
    known = {option for parameter in main.commands["bench"].params for option in parameter.opts if "--" in option}
    described = set(re.findall(r"--[a-z][a-z-]+", OPTIONS))
    assert known - described - {"--help", "--format", "--progress"} == set()
    assert described - known == {"--data", "--checkpoint", "--hosts"}  # of the build side
    assert set(re.findall(r"--[a-z][a-z-]+", PAGE)) - known == {"--data", "--checkpoint"}

"""docs/bench.md shows a result as it was written, and tells of the options and scenarios that there are."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from edgener_runtime.cli.main import main
from edgener_runtime.commissioning.bench.drivers.scenarios import SCENARIOS

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "bench.md").read_text(encoding="utf-8")
EXAMPLE = ROOT / "benchmarks" / "results" / "bench" / "conll2003.json"


def test_the_example_is_what_the_command_printed(benchmark_script: Callable[[str], ModuleType]) -> None:
    shown = PAGE.partition("<!-- example -->")[2].partition("<!-- /example -->")[0].strip("\n")
    assert shown == benchmark_script("tables").table(EXAMPLE), f"paste what benchmarks/tables.py {EXAMPLE.name} prints"


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_scenario_is_told(scenario: str) -> None:
    assert f"| `{scenario}` |" in PAGE


def test_every_option_of_the_command_is_told_and_no_other() -> None:
    known = {option for parameter in main.commands["bench"].params for option in parameter.opts if "--" in option}
    head = PAGE.partition("## How it holds still")[0]
    told = set(re.findall(r"--[a-z][a-z-]+", head))
    assert known - told - {"--help", "--format", "--progress"} == set()
    assert told - known == {"--data", "--checkpoint", "--hosts", "--merge"}  # of the build side

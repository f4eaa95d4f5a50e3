"""The house rules as measurements: who may import whom, how long things are, how fast help answers."""

from __future__ import annotations

import ast
import os
import resource
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import tomllib

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = {
    "edgener": ROOT / "edgener",
    "edgener_exporters": ROOT / "exporters" / "edgener_exporters",
    "edgener_runtime": ROOT / "runtime" / "edgener_runtime",
}
MAY_IMPORT = {
    "edgener": {"edgener", "edgener_exporters", "edgener_runtime"},
    "edgener_exporters": {"edgener_exporters", "edgener_runtime"},
    "edgener_runtime": {"edgener_runtime"},
}
HEAVY = {"torch", "transformers", "onnx", "onnxruntime", "numpy", "rich", "matplotlib", "seqeval", "peft", "optimum"}
FOREIGN_TO_THE_DEVICE = {"torch", "transformers", "onnx", "optimum", "huggingface_hub", "accelerate", "peft"}


def sources(package: str) -> list[Path]:
    return sorted(PACKAGES[package].rglob("*.py"))


ALL_SOURCES = [path for package in PACKAGES for path in sources(package)]


def imported_roots(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.split(".")[0]


def violations(package: str, source: str) -> set[str]:
    """What a source file of `package` imports and may not."""
    roots = set(imported_roots(ast.parse(source)))
    forbidden = set(PACKAGES) - MAY_IMPORT[package]
    return roots & (forbidden | (FOREIGN_TO_THE_DEVICE if package == "edgener_runtime" else set()))


def function_lengths(source: str) -> list[int]:
    return [
        node.end_lineno - node.lineno + 1
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno
    ]


@pytest.mark.parametrize("package", PACKAGES)
def test_nothing_points_back(package: str) -> None:
    assert {str(path): found for path in sources(package) if (found := violations(package, path.read_text()))} == {}


@pytest.mark.parametrize(
    ("package", "line"),
    [
        ("edgener_runtime", "import edgener.data"),
        ("edgener_runtime", "from transformers import AutoModel"),
        ("edgener_runtime", "def f():\n    import torch"),
        ("edgener_exporters", "from edgener import checkpoint"),
    ],
)
def test_a_forbidden_import_is_found(package: str, line: str) -> None:
    assert violations(package, line)


def test_onnxruntime_is_loaded_where_its_telemetry_is_switched_off() -> None:
    """Left to itself, it asks the network for where to send its events: everyone goes through load_onnxruntime."""
    door = PACKAGES["edgener_runtime"] / "backends" / "onnxruntime" / "library.py"
    found = [path for path in ALL_SOURCES if "onnxruntime" in imported_roots(ast.parse(path.read_text()))]
    beside = [path for path in found if path != door and "load_onnxruntime()" not in path.read_text()]
    assert door in found and beside == []


def test_functions_are_short() -> None:
    lengths = sorted(length for path in ALL_SOURCES for length in function_lengths(path.read_text()))
    assert statistics.median(lengths) < 10
    assert statistics.quantiles(lengths, n=10)[-1] < 30
    assert lengths[-1] <= 60


def test_a_long_function_is_measured() -> None:
    assert function_lengths("def f():\n" + "    x = 1\n" * 70) == [71]


def test_files_are_short() -> None:
    assert [str(path) for path in ALL_SOURCES if len(path.read_text().splitlines()) > 350] == []


def test_the_runtime_is_pinned_to_our_own_version() -> None:
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    device = tomllib.loads((ROOT / "runtime" / "pyproject.toml").read_text())["project"]
    assert build["version"] == device["version"]
    assert f"edgener-runtime[cpu]=={device['version']}" in build["dependencies"]
    for package, version in (("edgener", build["version"]), ("edgener_runtime", device["version"])):
        assert f'__version__ = "{version}"' in (PACKAGES[package] / "__init__.py").read_text()


@pytest.mark.parametrize("command", ["edgener.cli.main", "edgener_runtime.cli"])
def test_help_loads_nothing_heavy(command: str) -> None:
    code = f"import sys, {command}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert HEAVY & set(done.stdout.split()) == set()


@pytest.mark.parametrize("command", ["edgener", "edgener-runtime"])
def test_help_answers_within_300_ms(command: str) -> None:
    script = Path(sys.executable).with_name(command)
    assert min(seconds_of([str(script), "--help"]) for _ in range(5)) < 0.3


def seconds_of(command: list[str]) -> float:
    """CPU time: what the command itself takes, however busy the machine is."""
    # bytecode is cached as it is for an installed program, whatever the environment of the tests says
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, capture_output=True, check=True, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

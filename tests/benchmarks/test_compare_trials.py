"""benchmarks/compare_trials.py: whole runs of both commands, with a slowdown planted from outside."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType

import pytest
from click.testing import CliRunner, Result

ROOT = Path(__file__).resolve().parents[2]
BUNDLE = ROOT / "runtime" / "tests" / "bundle"


@pytest.fixture(scope="module")
def script(benchmark_script: Callable[[str], ModuleType]) -> ModuleType:
    return benchmark_script("compare_trials")


def trials(script: ModuleType, out: Path, count: int, limit: str = "100%", seconds: int = 6) -> Result:
    """A slowdown so large, against so wide a limit, that a few seconds of a busy machine tell it."""
    words = ["--trials", count, "--seconds", seconds, "--planted", 9.0, "--max-regression", limit, "--out", out]
    return CliRunner().invoke(script.main, list(map(str, [BUNDLE, *words])))


def test_a_planted_slowdown_is_found_and_one_that_is_not_there_is_not(script: ModuleType, tmp_path: Path) -> None:
    out = tmp_path / "trials.json"
    done = trials(script, out, 1, seconds=12)
    assert done.exit_code == 0, done.output
    assert "900% slower: 1 found slower, 0 inconclusive, 0 passed" in done.output
    [trial] = json.loads(out.read_text(encoding="utf-8"))["trials"]
    same, slowed = trial["same"][-1], trial["slowed"][-1]
    assert slowed["exit_code"] == 3 and same["exit_code"] != 3
    assert slowed["measured"]["value"] > 2 and min(slowed["rounds"]) > 1

    kept = out.read_bytes()  # what is done is not done again
    assert trials(script, out, 1, seconds=12).output == done.output and out.read_bytes() == kept
    other = trials(script, out, 1, "10%", seconds=12)
    assert other.exit_code == 1 and "holds trials of something else" in other.output


@pytest.fixture
def gate(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[tuple[str, float]]]:
    """`gate(same=[4, 0])`: the exit codes that comparisons end with, in turn, without a bench; who was run how long."""

    def ending(**codes: Sequence[int]) -> list[tuple[str, float]]:
        left, ran = {run: list(some) for run, some in codes.items()}, []
        one = script.Interval(1.0, 1.0, 1.0)

        def call(words: list[str], *_: object) -> None:
            ran.append((Path(words[-1]).stem, float(words[-3])))

        def compare(base: Path, other: Path, asked: object, seconds: float) -> object:
            return script.Judged(seconds, (7, 7), left[other.stem].pop(0), one, one, None, ())

        monkeypatch.setattr(script, "_call", call)
        monkeypatch.setattr(script, "_compare", compare)
        return ran

    return ending


@pytest.mark.parametrize(("same", "slower", "code"), [(0, 3, 0), (4, 3, 0), (3, 3, 1), (0, 4, 1), (0, 0, 1)])
def test_a_miss_and_a_false_alarm_end_with_1(
    script: ModuleType, gate: Callable[..., object], tmp_path: Path, same: int, slower: int, code: int
) -> None:
    gate(same=[same] * 6, slowed=[slower] * 6)
    assert trials(script, tmp_path / "trials.json", 2).exit_code == code


def test_what_is_inconclusive_is_measured_again_for_longer_with_its_base(
    script: ModuleType, gate: Callable[..., list[tuple[str, float]]], tmp_path: Path
) -> None:
    ran = gate(same=[4, 4, 0], slowed=[4, 3])
    done = trials(script, tmp_path / "trials.json", 1)
    assert done.exit_code == 0, done.output
    assert ran == [
        *[("base", 6), ("same", 6), ("slowed", 6)],
        *[("base", 12), ("same", 12), ("slowed", 12)],
        *[("base", 24), ("same", 24)],
    ]
    assert "900% slower: 1 found slower, 0 inconclusive, 0 passed; measured again: 1" in done.output


def test_a_benchmark_that_ends_otherwise_is_reported(script: ModuleType, tmp_path: Path) -> None:
    done = CliRunner().invoke(script.main, [str(tmp_path / "none"), "--out", str(tmp_path / "t.json")])
    assert done.exit_code == 1 and "bench" in done.output and "ended with 5" in done.output


def test_the_docs_have_what_came_of_the_trials(script: ModuleType) -> None:
    done = script.load_json(script.Trials, ROOT / "benchmarks" / "results" / "bench" / "trials.json")
    docs = (ROOT / "docs" / "how-to" / "compare.md").read_text(encoding="utf-8")
    shown = docs.partition("<!-- trials -->\n")[2].partition("<!-- /trials -->")[0]
    assert shown == f"```text\n{script.summary(done)}\n```\n"


def test_the_docs_have_the_rounds_that_are_needed(
    benchmark_script: Callable[[str], ModuleType], tmp_path: Path
) -> None:
    script = benchmark_script("gate_budget")
    done = CliRunner().invoke(script.main, ["--out", str(tmp_path / "budget.json")])
    docs = (ROOT / "docs" / "how-to" / "compare.md").read_text(encoding="utf-8")
    begin, end = (f"<!-- rounds needed: {side} -->\n" for side in ("begin", "end"))
    assert docs.partition(begin)[2].partition(end)[0] == done.output
    kept = ROOT / "benchmarks" / "results" / "bench" / "gate-budget.json"
    assert (tmp_path / "budget.json").read_text(encoding="utf-8") == kept.read_text(encoding="utf-8")

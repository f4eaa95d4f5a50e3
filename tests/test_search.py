"""The search for the fastest mix: what it finds, what it keeps, and what it refuses.

One whole search is real; how one decides is tested on a runner that measures nothing.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from edgener.checkpoint import open_checkpoint
from edgener.cli.main import main
from edgener.data.types import Dataset
from edgener.parity.bootstrap import Estimate
from edgener.parity.budgets import Budget
from edgener.pipeline import ExportSpec, export_bundle
from edgener.progress import untracked
from edgener.search import (
    BASELINES,
    SearchResult,
    SearchRun,
    SearchSpec,
    SearchTrial,
    read_search,
    search_precision,
    search_with,
)
from edgener_exporters import architectures
from edgener_exporters.calibrate.measurement_cache import MeasurementCache
from edgener_exporters.search.sensitivity import Noise
from edgener_exporters.variants import FP32, VARIANTS
from edgener_runtime.base.serde import to_json
from edgener_runtime.bundle.verify import verify_bundle
from edgener_runtime.errors import UserInputError

LOOSE = (Budget("churn", 0.5),)
FAST, GOOD = "int8-dynamic", "int8-weight-only"
ROLES = tuple(f"layer.{layer}.{part}" for layer in (0, 1) for part in ("query", "key", "value"))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def spec(small_factory: dict[str, Dataset], cache: Path) -> SearchSpec:
    calibration = replace(small_factory["train"], sentences=small_factory["train"].sentences[:100])
    return SearchSpec(small_factory["valid"], calibration, LOOSE, cache=cache)


@pytest.fixture(scope="module")
def found(trained: Path, spec: SearchSpec) -> SearchResult:
    return search_precision(trained, spec)


def test_the_fastest_mix_is_taken_where_the_budget_is_loose(found: SearchResult) -> None:
    assert found.chosen == found.trials[-1].name
    for role, form in found.plan.kernels.items():
        assert found.seconds[role][form] == min(found.seconds[role].values())


def test_every_product_was_measured_in_every_form(found: SearchResult) -> None:
    parts = ("query", "key", "value", "attention_output", "feed_forward_1", "feed_forward_2")
    assert set(found.noise) == {f"layer.{layer}.{part}" for layer in (0, 1) for part in parts}
    for by_form in found.noise.values():
        assert set(by_form) == {"int8-dynamic", "int8-static", "int8-rowwise", "int8-weight-only"}
        assert all(0 < noise < 1 for noise in by_form.values())


def test_trials_lead_from_fp32_to_the_fastest_kernels_with_figures_and_speed(found: SearchResult) -> None:
    """Which kernel is the fastest is measured: on a busy machine that may be FP32 for a small product."""
    first, last = found.trials[len(BASELINES)], found.trials[-1]
    assert [trial.name for trial in found.trials[: len(BASELINES)]] == list(BASELINES)
    fastest = Counter(min(seconds, key=seconds.__getitem__) for seconds in found.seconds.values())
    assert first.kernels == {FP32: 12} and last.kernels == fastest
    assert last.size < first.size
    for trial in found.trials:
        assert trial.churn and trial.speed and trial.speed.latency_ms.low <= trial.speed.latency_ms.median


def test_it_comes_back_from_json(found: SearchResult, tmp_path: Path) -> None:
    (tmp_path / "search.json").write_text(to_json(found))
    assert read_search(tmp_path / "search.json") == found


# --- what it measures, and measures once


@pytest.fixture
def bench(trained: Path, spec: SearchSpec, tmp_path: Path) -> Callable[..., SearchRun]:
    """`bench(cache=...)` is what a search of that checkpoint works on, before anything is measured."""

    def make(**changes: Any) -> SearchRun:
        folder = tmp_path / f"bench {len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        return SearchRun(open_checkpoint(trained), replace(spec, **changes), folder, untracked)

    return make


def noise_of(bench: SearchRun) -> dict[str, dict[str, float]]:
    bench.smoothing()
    return bench.noise()


def test_a_second_search_measures_no_noise_again(
    bench: Callable[..., SearchRun], found: SearchResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    def measured_again(*_: Any) -> float:
        raise AssertionError("noise was measured again")

    monkeypatch.setattr(Noise, "changed", measured_again)
    assert noise_of(bench()) == found.noise


def test_a_search_that_was_broken_off_goes_on(
    bench: Callable[..., SearchRun], found: SearchResult, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is measured here is how many were measured before; that real ones come back is tested above."""
    made, whole = list[float](), 2 * 6 + 4 * 12  # six groups of smoothing, two each; twelve products in four forms

    def noise_until(number: int, name: str) -> dict[str, dict[str, float]]:
        def measure(*_: Any) -> float:
            if len(made) == number:
                raise KeyboardInterrupt
            made.append(len(made) / whole)
            return made[-1]

        monkeypatch.setattr(Noise, "changed", measure)
        without_search = shutil.ignore_patterns("search")
        folder = tmp_path / name
        return noise_of(
            bench(cache=folder if folder.exists() else shutil.copytree(cache, folder, ignore=without_search))
        )

    uninterrupted = noise_until(whole, "another cache")
    assert len(made) == whole
    made.clear()
    with pytest.raises(KeyboardInterrupt):
        noise_until(19, "cache")
    assert noise_until(whole, "cache") == uninterrupted
    assert len(made) == whole  # none was measured again but the one that was broken off


@pytest.mark.parametrize("damage", ["[1, 2", "[]", ""])
def test_a_damaged_cache_starts_again(damage: str, tmp_path: Path) -> None:
    MeasurementCache(tmp_path, ["graph"])("noise", lambda: 0.5)
    (file,) = (tmp_path / "search").iterdir()
    assert MeasurementCache(tmp_path, ["graph"])("noise", lambda: 0.7) == 0.5
    assert MeasurementCache(tmp_path, ["another graph"])("noise", lambda: 0.7) == 0.7
    file.write_text(damage)
    assert MeasurementCache(tmp_path, ["graph"])("noise", lambda: 0.7) == 0.7


def test_a_budget_for_the_batch_effect_rules_dynamic_quantisation_out(bench: Callable[..., SearchRun]) -> None:
    with_budget = bench(budgets=(*LOOSE, Budget("batch_effect", 0.001)))
    assert set(bench().products.kernels) - set(with_budget.products.kernels) == {"int8-dynamic"}


# --- how it decides


@dataclass
class Scripted:
    """A runner whose products are quick and noisy in one form, slower and nearly exact in another.

    A trial is judged by how many products are not in FP32: `sure` of them pass, `within` keep the bare figures.
    """

    sure: int
    within: int
    otherwise: str = "fail"
    graph: str = "0" * 64

    def smoothing(self) -> list[str]:
        return ["activation"]

    def noise(self) -> dict[str, dict[str, float]]:
        return {role: {FAST: 0.10 + 0.01 * place, GOOD: 0.01} for place, role in enumerate(ROLES)}

    def seconds(self) -> dict[str, dict[str, float]]:
        return {role: {FP32: 4.0, GOOD: 3.0, FAST: 1.0} for role in ROLES}

    def baseline(self, name: str) -> SearchTrial:
        return self._trial(name, Counter({name: len(ROLES)}))

    def attempt(self, place: int, plans: Sequence[Mapping[str, str]]) -> SearchTrial:
        return self._trial(f"{place} of {len(plans) - 1}", Counter(plans[place].values()))

    def timed(self, trials: Sequence[SearchTrial]) -> tuple[SearchTrial, ...]:
        return tuple(trials)

    def _trial(self, name: str, forms: Counter[str]) -> SearchTrial:
        changed = forms[FAST] + forms[GOOD]
        churn = Estimate(0.01 * changed, 0.0, 0.02 * changed)
        verdict = "pass" if changed <= self.sure else self.otherwise
        return SearchTrial(name, dict(forms), 100 - changed, verdict, changed <= self.within, 0.9, None, churn)


def searched(sure: int, within: int, otherwise: str = "fail") -> SearchResult:
    return search_with(Scripted(sure, within, otherwise), "mine (valid)")


def test_bare_figures_decide_where_the_text_is_too_little() -> None:
    found = searched(sure=-1, within=3, otherwise="inconclusive")
    assert {trial.verdict for trial in found.trials[len(BASELINES) :]} == {"inconclusive"}
    assert found.best.within and sum(form != FP32 for form in found.plan.kernels.values()) == 3


def test_what_stays_in_fp32_has_its_reason() -> None:
    found = searched(sure=2, within=6)
    kept = {role for role, form in found.plan.kernels.items() if form == FP32}
    assert len(kept) == 4 and set(found.reasons) == kept
    assert all(f"{GOOD} would add 1.00% of noise" in reason for reason in found.reasons.values())


def test_a_plan_that_surely_keeps_the_budgets_comes_before_a_faster_one_that_seems_to() -> None:
    assert sum(form != FP32 for form in searched(sure=4, within=6).plan.kernels.values()) == 4
    assert set(searched(sure=6, within=6).plan.kernels.values()) == {FAST}


def test_where_no_mix_keeps_the_budgets_all_stays_in_fp32() -> None:
    found = searched(sure=-1, within=-1)
    assert set(found.plan.kernels.values()) == {FP32} and found.best.verdict == "fail"
    assert found.plan.smoothed == ("activation",) and found.graph == "0" * 64


# --- the plan in a bundle


def test_the_variant_mixed_is_built_by_the_plan(
    trained: Path, spec: SearchSpec, found: SearchResult, small_factory: dict[str, Dataset], tmp_path: Path
) -> None:
    export = ExportSpec((VARIANTS["mixed"],), small_factory["test"], LOOSE, calibration=spec.calibration, search=found)
    export_bundle(trained, tmp_path / "bundle", export)
    assert verify_bundle(tmp_path / "bundle").variant("mixed").parity
    assert read_search(tmp_path / "bundle" / "search.json") == found


def test_mixed_without_a_plan_is_refused(
    trained: Path, spec: SearchSpec, small_factory: dict[str, Dataset], tmp_path: Path
) -> None:
    export = ExportSpec((VARIANTS["mixed"],), small_factory["test"], LOOSE, calibration=spec.calibration)
    with pytest.raises(UserInputError, match="requires a plan"):
        export_bundle(trained, tmp_path / "bundle", export)


# --- the commands


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, cache: Path) -> Callable[..., Any]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    return lambda *arguments: CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def few_data(small_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with less text to calibrate on."""
    folder = shutil.copytree(small_data, tmp_path_factory.mktemp("few") / "data")
    train = folder / "train.jsonl"
    train.write_text("\n".join(train.read_text(encoding="utf-8").splitlines()[:100]), encoding="utf-8")
    return folder


@pytest.fixture
def search_gives(monkeypatch: pytest.MonkeyPatch) -> Callable[[SearchResult], list[SearchSpec]]:
    """`search_gives(result)` puts it in the place of a search; the answer lists what was asked for."""

    def plant(result: SearchResult) -> list[SearchSpec]:
        asked: list[SearchSpec] = []
        monkeypatch.setattr("edgener.search.search_precision", lambda path, spec, track: asked.append(spec) or result)
        return asked

    return plant


def test_search_writes_a_plan_that_export_takes(
    trained: Path,
    few_data: Path,
    tmp_path: Path,
    run: Callable[..., Any],
    found: SearchResult,
    search_gives: Callable[..., Any],
) -> None:
    """The README's example makes a whole search by the command."""
    asked = search_gives(found)
    plan, budgets = tmp_path / "plan.json", ("--max-churn", 0.5, "--max-f1-drop", 0.5)
    done = run("search", trained, "--data", few_data, *budgets, "--out", plan)
    assert done.exit_code == 0, done.output
    assert asked[0].dataset.split == "valid" and {budget.limit for budget in asked[0].budgets} == {0.5}
    assert all(trial.name in done.stdout for trial in found.trials) and f"plan:  {plan}" in done.stdout
    assert plan.with_suffix(".png").stat().st_size > 1000 and "int8-dynamic" in plan.with_suffix(".svg").read_text()
    arguments = ("export", trained, "--out", tmp_path / "bundle", "--data", few_data, "--variant", "mixed")
    exported = run(*arguments, "--plan", plan, *budgets, "--json")
    assert exported.exit_code == 0, exported.output
    (mixed,) = json.loads(exported.stdout)["variants"]
    assert mixed["name"] == "mixed" and mixed["speed"]["latency_ms"]["median"] > 0
    assert (tmp_path / "bundle" / "search.json").read_text() == plan.read_text()


@pytest.mark.parametrize(("verdict", "code"), [("fail", 3), ("inconclusive", 4)])
def test_a_search_that_keeps_no_budget_writes_its_plan_and_says_so(
    verdict: str,
    code: int,
    trained: Path,
    small_data: Path,
    run: Callable[..., Any],
    tmp_path: Path,
    search_gives: Callable[..., Any],
) -> None:
    search_gives(searched(sure=-1, within=-1, otherwise=verdict))
    done = run("search", trained, "--data", small_data, "--out", tmp_path / "plan.json")
    assert done.exit_code == code and "no mix passes on mine (valid)" in done.stderr
    assert set(read_search(tmp_path / "plan.json").plan.kernels.values()) == {FP32}


@pytest.mark.parametrize("content", ["", "{}", '{"plan": 1}', "\xff"])
def test_a_broken_plan_is_a_wrong_call(content: str, trained: Path, tmp_path: Path, run: Callable[..., Any]) -> None:
    (tmp_path / "plan.json").write_bytes(content.encode("latin-1"))
    arguments = ("export", trained, "--out", tmp_path / "out", "--data", "builtin:factory", "--variant", "mixed")
    done = run(*arguments, "--plan", tmp_path / "plan.json")
    assert done.exit_code == 2 and "cannot be read" in done.stderr and "edgener search" in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_single_file_has_no_text_to_search_on(trained: Path, tmp_path: Path, run: Callable[..., Any]) -> None:
    (tmp_path / "all.txt").write_text("pump O\nleaks O\n\n" * 3)
    done = run("export", trained, "--out", tmp_path / "out", "--data", tmp_path / "all.txt", "--variant", "auto",
               "--max-churn", 0.5)  # fmt: skip
    assert done.exit_code == 2 and "no text to search on" in done.stderr


def test_a_plan_that_nothing_uses_is_a_wrong_call(trained: Path, tmp_path: Path, run: Callable[..., Any]) -> None:
    arguments = ("export", trained, "--out", tmp_path / "out", "--data", "builtin:factory", "--variant", "fp32")
    done = run(*arguments, "--plan", tmp_path / "plan.json")
    assert done.exit_code == 2 and "--plan is for the variant mixed" in done.stderr


def test_the_test_set_is_not_searched_on(trained: Path, run: Callable[..., Any]) -> None:
    assert run("search", trained, "--data", "builtin:factory", "--split", "test").exit_code == 2


def test_search_rejects_what_export_rejects_and_untested_tries_it(
    trained: Path, small_data: Path, run: Callable[..., Any], found: SearchResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = {name: row for name, row in architectures.ARCHITECTURES.items() if name != "bert"}
    monkeypatch.setattr(architectures, "ARCHITECTURES", others)
    arguments = ("search", trained, "--data", small_data, "--max-churn", 0.5, "--max-f1-drop", 0.5)
    refused = run(*arguments)
    assert refused.exit_code == 2 and "architecture 'bert'" in refused.stderr and "--untested" in refused.stderr
    monkeypatch.setattr("edgener.search.search_with", lambda runner, data: found)
    monkeypatch.setattr("edgener.search.SearchRun", lambda *arguments: None)
    assert run(*arguments, "--untested").exit_code == 0

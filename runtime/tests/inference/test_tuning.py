"""How a model runs on this machine, and the record of what was found best."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgener_runtime import TokenClassifier
from edgener_runtime.backends.base import Tuning
from edgener_runtime.base.serde import to_json
from edgener_runtime.bundle.manifest import VariantEntry, read_manifest
from edgener_runtime.commissioning.tune import COSTS, candidates, synthetic_texts, trial_count, tune
from edgener_runtime.errors import UserInputError
from edgener_runtime.inference.tuning import (
    GOALS,
    TuningRecord,
    TuningTrial,
    fingerprint,
    read_tuning,
    tuning_file,
    tuning_for,
)
from edgener_runtime.machine.cpu import usable_cores

BEST = Tuning(1, 2, 256, False)
DEFAULT = Tuning(by_length=True)


@pytest.fixture
def variant(copy: Path) -> VariantEntry:
    return read_manifest(copy).variant("fp32")


@pytest.fixture
def tuned(copy: Path, variant: VariantEntry) -> Path:
    """The copy of the bundle with a record for this machine and its FP32 variant."""
    record = TuningRecord("throughput", "fp32", fingerprint(variant), BEST, (TuningTrial(BEST, 1.0, 2.0, 3.0),))
    tuning_file(copy).write_text(to_json(record), encoding="utf-8")
    return copy


# --- which tuning is taken


def test_the_default_gives_all_cores_to_one_batch_or_one_each_to_several(copy: Path, variant: VariantEntry) -> None:
    found, why = tuning_for(copy, variant)
    assert found == DEFAULT == replace(Tuning.of(usable_cores()), by_length=True)
    assert (found.threads, found.workers, found.threads_each) == (usable_cores(), usable_cores(), 1)
    assert "edgener-runtime tune finds better" in why


def test_threads_that_were_asked_for_are_taken(tuned: Path, variant: VariantEntry) -> None:
    assert tuning_for(tuned, variant, 3) == (Tuning(3, 3), "threads as asked for")


@pytest.mark.parametrize("threads", [0, -1])
def test_no_threads_are_refused(threads: int, copy: Path, variant: VariantEntry) -> None:
    with pytest.raises(UserInputError, match=f"threads is {threads}, expected at least 1"):
        tuning_for(copy, variant, threads)


def test_what_was_found_best_on_this_machine_is_taken(tuned: Path, variant: VariantEntry) -> None:
    found, why = tuning_for(tuned, variant)
    assert found == BEST
    assert "tuned for throughput on this machine" in why


@pytest.mark.parametrize(
    "field", [{"cpu": "another"}, {"isa": "mmx"}, {"cores": 999}, {"onnxruntime": "0.1"}, {"model": "00"}]
)
def test_what_was_found_on_another_machine_is_not_taken(
    field: dict[str, Any], tuned: Path, variant: VariantEntry
) -> None:
    record = read_tuning(tuning_file(tuned))
    changed = replace(record, fingerprint=replace(record.fingerprint, **field))
    tuning_file(tuned).write_text(to_json(changed), encoding="utf-8")
    found, why = tuning_for(tuned, variant)
    assert found == DEFAULT
    assert "is for another machine or variant" in why


DAMAGED = ["", "{}", "[1", '{"goal": 3}', "\udcff", "[" * 100_000]


@pytest.mark.parametrize("content", DAMAGED, ids=range(len(DAMAGED)))
def test_a_damaged_record_is_set_aside_and_reported_once(
    content: str, copy: Path, variant: VariantEntry, caplog: pytest.LogCaptureFixture
) -> None:
    file = tuning_file(copy)
    file.write_bytes(content.encode("utf-8", "surrogateescape"))
    found, why = tuning_for(copy, variant)
    aside = file.with_name(f"{file.name}.damaged")
    assert found == DEFAULT and f"cannot be read, it is now {aside.name}" in why
    assert aside.read_bytes() == content.encode("utf-8", "surrogateescape") and not file.exists()
    assert "is damaged" in caplog.text and "tune again: edgener-runtime tune" in caplog.text
    assert "tune finds better" in tuning_for(copy, variant)[1]


def test_a_damaged_record_on_a_read_only_disk_is_ignored(
    copy: Path, variant: VariantEntry, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: Any) -> None:
        raise OSError(30, "Read-only file system")

    tuning_file(copy).write_text("{")
    monkeypatch.setattr(Path, "replace", refuse)
    found, why = tuning_for(copy, variant)
    assert found == DEFAULT and why.endswith("cannot be read, it is ignored") and "is damaged" in caplog.text


@pytest.mark.parametrize("best", [Tuning(0, 1, 256), Tuning(10**6, 1, 256), Tuning(1, 10**6, 256), Tuning(1, 1, 0)])
def test_a_record_that_no_search_can_have_written_is_damaged(best: Tuning, tuned: Path, variant: VariantEntry) -> None:
    record = read_tuning(tuning_file(tuned))
    tuning_file(tuned).write_text(to_json(replace(record, best=best)), encoding="utf-8")
    assert tuning_for(tuned, variant)[0] == DEFAULT
    assert not tuning_file(tuned).exists()


def test_a_classifier_runs_as_tuned_and_says_so(tuned: Path) -> None:
    with TokenClassifier.load(tuned, "cpu", "fp32") as classifier:
        assert classifier.tuning == BEST
        explanation = classifier.explain()
        assert explanation.tuning == BEST
        assert any("tuned for throughput" in reason for reason in explanation.reasons)
        texts = ["oil leak at pump P-101", "seal worn"] * 300
        assert classifier.predict_batch(texts)[-2:] == [classifier.predict(text) for text in texts[-2:]]


# --- finding it


@pytest.mark.parametrize("cores", [1, 2, 3, 8])
@pytest.mark.parametrize("goal", GOALS)
def test_candidates_stay_within_the_cores_and_differ(goal: str, cores: int) -> None:
    tunings = candidates(goal, cores)
    assert len(set(tunings)) == len(tunings)
    assert {1, cores} <= {tuning.threads for tuning in tunings}
    assert all(tuning.threads <= cores and tuning.workers * tuning.threads_each <= cores for tuning in tunings)
    assert not any(tuning.spinning for tuning in tunings if tuning.threads == 1)
    assert goal == "latency" or cores == 1 or any(tuning.workers == cores for tuning in tunings)


def test_every_tuning_is_tried_and_the_better_half_again() -> None:
    tried: list[Tuning] = []
    tunings = candidates("throughput", 2)

    class Stub:
        def __enter__(self) -> Stub:
            return self

        def __exit__(self, *exception: object) -> None:
            pass

        def predict(self, text: str) -> None:
            pass

        predict_batch = predict

    def open_with(tuning: Tuning) -> Any:
        tried.append(tuning)
        return Stub()

    steps: list[TuningTrial] = []
    best, trials = tune(open_with, tunings, "throughput", ["text"], 0.01, steps.append)
    assert set(tried) == set(tunings) == {trial.tuning for trial in trials}
    assert len(tried) == len(steps) == trial_count(len(tunings))
    assert best == trials[0].tuning or tried.count(best) > 1


@pytest.mark.parametrize("goal", GOALS)
def test_less_of_what_a_goal_costs_is_better(goal: str) -> None:
    slow, fast = TuningTrial(BEST, 2.0, 100.0, 2.0), TuningTrial(BEST, 1.0, 200.0, 1.0)
    assert COSTS[goal](fast) < COSTS[goal](slow)


def test_without_texts_there_is_nothing_to_tune_on() -> None:
    with pytest.raises(UserInputError, match="no texts"):
        tune(lambda tuning: pytest.fail("was opened"), [BEST], "latency", [], 1)  # type: ignore[arg-type]


def test_synthetic_texts_are_the_same_every_time(classifier: TokenClassifier) -> None:
    texts = synthetic_texts(classifier._tokenizer)
    assert texts == synthetic_texts(classifier._tokenizer)
    assert len(set(texts)) > 1 and all(texts)


# --- the command


@pytest.mark.parametrize("goal", GOALS)
def test_the_command_writes_what_the_next_load_takes(goal: str, copy: Path, run: Callable[..., Any]) -> None:
    done = run("tune", copy, "--goal", goal, "--seconds", "1", "--variant", "fp32", "--json")
    assert done.code == 0
    record = json.loads(done.out)
    assert (record["goal"], record["variant"]) == (goal, "fp32")
    with TokenClassifier.load(copy, "cpu", "fp32") as classifier:
        assert classifier.tuning == Tuning(**record["best"])
    assert run("verify", copy).code == 0  # the record is not part of the bundle


def test_the_command_tunes_on_the_texts_of_a_file(copy: Path, tmp_path: Path, run: Callable[..., Any]) -> None:
    (tmp_path / "texts.txt").write_text("oil leak\nseal worn\n", encoding="utf-8")
    done = run("tune", copy, "--seconds", "1", "--input", tmp_path / "texts.txt")
    assert done.code == 0
    titles, *rows, last = done.out.splitlines()
    assert titles.split()[:2] == ["threads", "batches"] and rows and max(map(len, (titles, *rows))) <= 80
    assert f"{copy.name}.tuning.json: best for latency" in last
    (tmp_path / "texts.txt").write_text("", encoding="utf-8")
    done = run("tune", copy, "--seconds", "1", "--input", tmp_path / "texts.txt")
    assert (done.code, done.out) == (2, "")

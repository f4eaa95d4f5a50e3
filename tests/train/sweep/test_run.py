"""A sweep of a formula: what it chooses, and how it goes on after an interruption or beside another process."""

from __future__ import annotations

import dataclasses
import json
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("optuna", reason="the extra sweep is not installed")

from edgener.train.config import TrainConfig
from edgener.train.sweep import study as study_module
from edgener.train.sweep.jobs import SharedJobs
from edgener.train.sweep.result import SweepResult, verdict
from edgener.train.sweep.run import sweep
from edgener_runtime.base.serde import from_json, to_json
from edgener_runtime.errors import StorageError, UserInputError

from .formula import SEEDS, SPLITS, START, TRIALS, make_spec, score

FORMULA = Path(__file__).with_name("formula.py")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, SweepResult]:
    """The folder of a whole sweep, and its result. Not to be changed."""
    folder = tmp_path_factory.mktemp("undisturbed")
    return folder, sweep(make_spec(folder), score)


def states(folder: Path) -> Counter[str]:
    """The trials of both studies by state."""
    with sqlite3.connect(folder / "study.db") as database:
        return Counter(state for (state,) in database.execute("select state from trials"))


def process(folder: Path, moments: str, seconds: float = 0) -> subprocess.Popen[str]:
    command = [sys.executable, str(FORMULA), str(folder), moments, str(seconds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended(running: subprocess.Popen[str]) -> tuple[int, str]:
    out, err = running.communicate(timeout=1800)
    return running.returncode, out or err


def test_the_best_mean_of_trials_and_seeds_is_chosen(undisturbed: tuple[Path, SweepResult]) -> None:
    result = undisturbed[1]
    assert [trial.number for trial in result.trials] == list(range(TRIALS))
    assert result.trials[0].settings == {name: getattr(START, name) for name in result.space}
    assert {trial.state for trial in result.trials} == {"complete", "pruned"}
    assert len({json.dumps(trial.settings) for trial in result.trials}) == TRIALS
    assert 0 in {finalist.number for finalist in result.finalists}
    assert all(set(finalist.f1) == {"0", "1"} for finalist in result.finalists)
    assert result.best.mean == max(finalist.mean for finalist in result.finalists)
    assert result.best.number != 0 and "more than what a seed changes" in verdict(result)
    assert result.fixed == {"model": "some/model", "threads": 1}
    assert from_json(SweepResult, to_json(result), "result") == result


def test_a_finished_sweep_answers_without_training(undisturbed: tuple[Path, SweepResult]) -> None:
    def never(*_: Any) -> float:
        raise AssertionError

    assert sweep(make_spec(undisturbed[0]), never) == undisturbed[1]


def test_more_trials_go_on_from_those_there_are(undisturbed: tuple[Path, SweepResult], tmp_path: Path) -> None:
    first = sweep(make_spec(tmp_path, trials=5, seeds=1), score)
    assert first.trials == undisturbed[1].trials[:5]
    assert sweep(make_spec(tmp_path), score) == undisturbed[1]


def test_another_seed_tries_other_settings(undisturbed: tuple[Path, SweepResult], tmp_path: Path) -> None:
    other = sweep(make_spec(tmp_path, start=dataclasses.replace(START, seed=5), trials=2, seeds=1), score)
    assert other.trials[1].settings != undisturbed[1].trials[1].settings


def test_an_interrupted_trial_is_repeated_with_its_settings(
    undisturbed: tuple[Path, SweepResult], tmp_path: Path
) -> None:
    left = 4

    def interrupted(splits: Any, config: TrainConfig, trial: Any) -> float:
        nonlocal left
        left -= 1
        if not left:
            raise KeyboardInterrupt
        return score(splits, config, trial)

    with pytest.raises(KeyboardInterrupt):
        sweep(make_spec(tmp_path), interrupted)
    assert states(tmp_path)["FAIL"] == 1
    assert sweep(make_spec(tmp_path), score) == undisturbed[1]


def test_a_sweep_that_was_killed_continues_to_the_same_result(
    undisturbed: tuple[Path, SweepResult], tmp_path: Path
) -> None:
    for moment in ("3", "7", f"{TRIALS - 7}"):  # of the trainings of each process; the last is a finalist's
        code, _ = ended(process(tmp_path, moment))
        assert code == -signal.SIGKILL
        assert states(tmp_path)["RUNNING"] == 1
    assert sweep(make_spec(tmp_path), score) == undisturbed[1]
    assert states(tmp_path)["FAIL"] == 3 and states(tmp_path)["RUNNING"] == 0


def test_two_processes_share_a_study_and_do_each_trial_once(tmp_path: Path) -> None:
    both = [process(tmp_path, "", 0.3) for _ in range(2)]
    found = [ended(each) for each in both]
    assert [code for code, _ in found] == [0, 0], found
    counts, chosen = zip(*(out.split() for _, out in found), strict=True)
    assert chosen[0] == chosen[1]
    result = sweep(make_spec(tmp_path), score)
    assert str(result.chosen) == chosen[0] and len(result.trials) == TRIALS
    repeats = (SEEDS - 1) * len(result.finalists)
    assert sum(map(int, counts)) == TRIALS + repeats and all(int(count) > 0 for count in counts)


def test_a_trial_on_another_machine_is_given_up_when_it_is_silent(
    undisturbed: tuple[Path, SweepResult], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgener.train.sweep.jobs._machine", lambda: "elsewhere")
    assert ended(process(tmp_path, "3"))[0] == -signal.SIGKILL  # that process knows its own machine
    lines: list[str] = []
    monkeypatch.setattr("edgener.train.sweep.jobs.SILENCE_SECONDS", 0.5)
    monkeypatch.setattr("edgener.train.sweep.jobs._POLL_SECONDS", 0.1)
    result = sweep(make_spec(tmp_path, trials=3, seeds=1), score, lines.append)
    assert result.trials == undisturbed[1].trials[:3]
    assert "waiting for 1 trials of other processes" in lines


# --- bad input


def test_a_study_of_another_data_set_is_refused_and_both_are_named(undisturbed: tuple[Path, SweepResult]) -> None:
    other = {**SPLITS, "train": dataclasses.replace(SPLITS["train"], source="here/other.txt", sentences=())}
    with pytest.raises(UserInputError, match=r"another data set: found train train\.txt .*, expected train other\.txt"):
        sweep(make_spec(undisturbed[0], splits=other), score)


def test_a_study_of_another_search_space_is_refused_and_both_are_named(undisturbed: tuple[Path, SweepResult]) -> None:
    start = dataclasses.replace(START, learning_rate=2e-3)
    with pytest.raises(UserInputError, match=r"another search space: found .*0\.00025 to .*, expected .*0\.0005 to"):
        sweep(make_spec(undisturbed[0], start=start), score)
    with pytest.raises(UserInputError, match="another search space: found epochs 3 to 10, by logarithm, expected none"):
        sweep(make_spec(undisturbed[0], fixed=("model", "threads", "epochs")), score)


def test_a_study_with_another_fixed_setting_is_refused(undisturbed: tuple[Path, SweepResult]) -> None:
    start = dataclasses.replace(START, case_channel=True)
    with pytest.raises(UserInputError, match="fixed setting: found case_channel False, expected case_channel True"):
        sweep(make_spec(undisturbed[0], start=start), score)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [(lambda whole: b"a list of pumps\n" * 40, "file is not a database"),
     (lambda whole: whole[: len(whole) // 2], "database disk image is malformed")],
)  # fmt: skip
def test_a_damaged_study_is_exit_2_and_stays_as_it_is(
    undisturbed: tuple[Path, SweepResult], tmp_path: Path, damage: Callable[[bytes], bytes], reason: str
) -> None:
    content = damage((undisturbed[0] / "study.db").read_bytes())
    (tmp_path / "study.db").write_bytes(content)
    with pytest.raises(UserInputError, match=f"is damaged, or not a study: {reason}"):
        sweep(make_spec(tmp_path), score)
    assert (tmp_path / "study.db").read_bytes() == content


def test_a_locked_study_is_an_error_after_a_while(
    undisturbed: tuple[Path, SweepResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(study_module, "LOCK_SECONDS", 0.2)
    with sqlite3.connect(undisturbed[0] / "study.db", isolation_level=None) as database:
        database.execute("begin exclusive")
        with pytest.raises(StorageError, match=r"study\.db is locked: database is locked"):
            sweep(make_spec(undisturbed[0], trials=TRIALS + 1), score)
        database.execute("rollback")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("nothing", "--storage nothing cannot be opened"),
        ("nodatabase://host/name", "--storage nodatabase://host/name cannot be opened"),
        ("sqlite:////no/such/folder/study.db", "cannot be used: unable to open database file"),
    ],
)
def test_a_storage_that_cannot_be_opened_is_named(tmp_path: Path, url: str, message: str) -> None:
    with pytest.raises((UserInputError, StorageError), match=message):
        sweep(make_spec(tmp_path, storage=url), score)


def test_no_message_has_the_password_of_a_storage(tmp_path: Path) -> None:
    with pytest.raises(UserInputError) as caught:
        sweep(make_spec(tmp_path, storage="nodatabase://me:secret@host/name"), score)
    assert "secret" not in str(caught.value) and "nodatabase://me@host/name" in str(caught.value)


def test_without_a_valid_split_there_is_nothing_to_choose_on(tmp_path: Path) -> None:
    with pytest.raises(UserInputError, match="has no valid split"):
        sweep(make_spec(tmp_path, splits={"train": SPLITS["train"]}), score)


def test_with_every_setting_fixed_nothing_is_left_to_search(tmp_path: Path) -> None:
    with pytest.raises(UserInputError, match="nothing is left to search"):
        sweep(make_spec(tmp_path, fixed=tuple(TrainConfig.__dataclass_fields__)), score)


def test_an_error_of_training_ends_the_sweep(tmp_path: Path) -> None:
    def wrong(*_: Any) -> float:
        raise UserInputError("no such model")

    with pytest.raises(UserInputError, match="no such model"):
        sweep(make_spec(tmp_path), wrong)
    assert states(tmp_path)["RUNNING"] == 0


def test_a_job_that_two_processes_queue_at_once_is_done_once(tmp_path: Path) -> None:
    from optuna.pruners import NopPruner

    study = study_module.open_study(study_module.file_url(tmp_path / "study.db"), "edgener", {}, NopPruner())
    for _ in range(2):
        study.enqueue_trial({}, user_attrs={"job": "a"})
    done: list[int] = []
    SharedJobs(study, {"a": {}, "b": {}}, lambda trial: done.append(trial.number) or 0.5).run()
    assert len(done) == 2

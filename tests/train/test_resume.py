"""A run that was killed goes on as if nothing had been."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edgener.data.types import Dataset
from edgener.threads import limit_pytorch
from edgener.train import trainer as trainer_module
from edgener.train.config import TrainConfig
from edgener.train.run import TrainResult, train
from edgener_runtime.errors import UserInputError

pytestmark = pytest.mark.compat

Quick = Callable[..., TrainConfig]
Few = dict[str, Dataset]

# The train command in a process that gets SIGKILL at the worst of times.
KILLED = """
import os, signal, sys
from transformers import TrainerState
from transformers.trainer_callback import CallbackHandler

def kill(*_):
    os.kill(os.getpid(), signal.SIGKILL)

def in_the_third_epoch(self, args, state, control, honest=CallbackHandler.on_step_end):
    if state.epoch > 2.4:
        kill()
    return honest(self, args, state, control)

def while_it_saves_the_third(self, path, honest=TrainerState.save_to_json):
    if self.epoch > 2.9:
        open(path, "w").write('{"best_metric": 0.')
        kill()
    honest(self, path)

if sys.argv.pop(1) == "in the third epoch":
    CallbackHandler.on_step_end = in_the_third_epoch
else:
    TrainerState.save_to_json = while_it_saves_the_third
from edgener.cli.main import main
main()
"""


def run_killed(moment: str, few_folder: Path, config: TrainConfig, out: Path) -> None:
    settings = out.with_name("run.yaml")
    given = {name: value for name, value in dataclasses.asdict(config).items() if value is not None}
    settings.write_text(json.dumps(given))  # JSON is YAML
    command = [sys.executable, "-c", KILLED, moment, "train", "--data", few_folder, "--config", settings, "--out", out]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, env=environment, timeout=1800, check=False
    )
    settings.unlink()
    assert done.returncode == -signal.SIGKILL, done.stderr


@pytest.fixture(scope="module", params=["in the third epoch", "while the third is saved"])
def unfinished(
    request: pytest.FixtureRequest, few_folder: Path, quick: Quick, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Where the checkpoint of a killed run would have come to stand; it is finished by the last test that uses it."""
    out = tmp_path_factory.mktemp("unfinished") / "checkpoint"
    run_killed(request.param, few_folder, quick(epochs=4), out)
    return out


def test_a_kill_leaves_no_checkpoint_but_what_to_go_on_from(unfinished: Path) -> None:
    assert [path.name for path in unfinished.parent.iterdir()] == ["checkpoint.unfinished"]


def test_an_unfinished_run_is_not_lost_by_starting_anew(unfinished: Path, few: Few, quick: Quick) -> None:
    with pytest.raises(UserInputError, match="there is an unfinished run in") as caught:
        train(few, quick(epochs=4), unfinished)
    assert caught.value.hint and "--resume" in caught.value.hint


@pytest.mark.parametrize("change", [{"seed": 1}, {"epochs": 5}, {"learning_rate": 0.02}, {"case_channel": False}])
def test_other_settings_are_refused(unfinished: Path, few: Few, quick: Quick, change: dict[str, Any]) -> None:
    with pytest.raises(UserInputError, match="had other settings or data"):
        train(few, quick(**{"epochs": 4, **change}), unfinished, resume=True)


def test_other_data_is_refused(unfinished: Path, few: Few, quick: Quick) -> None:
    fewer = dataclasses.replace(few["train"], sentences=few["train"].sentences[1:])
    with pytest.raises(UserInputError, match="had other settings or data"):
        train({**few, "train": fewer}, quick(epochs=4), unfinished, resume=True)


def test_another_number_of_processes_is_refused(
    unfinished: Path, few: Few, quick: Quick, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UserInputError, match="another number of processes"):
        train(few, quick(epochs=4), unfinished, resume=True)


def test_a_moved_run_is_refused(unfinished: Path, few: Few, quick: Quick) -> None:
    work = unfinished.with_name("checkpoint.unfinished")
    moved = work.rename(unfinished.with_name("elsewhere.unfinished"))
    try:
        with pytest.raises(UserInputError, match="another path"):
            train(few, quick(epochs=4), unfinished.with_name("elsewhere"), resume=True)
    finally:
        moved.rename(work)


def test_resumed_it_gives_the_weights_of_an_uninterrupted_run(
    unfinished: Path,
    finished: tuple[Path, TrainResult],
    few: Few,
    quick: Quick,
    weights: Callable[[Path], dict[str, Any]],
) -> None:
    result = train(few, quick(epochs=4), unfinished, resume=True)
    expected, found = weights(finished[0]), weights(unfinished)
    assert {name for name in expected if not expected[name].equal(found[name])} == set()
    assert result.epochs == finished[1].epochs
    assert (result.before, result.after) == (finished[1].before, finished[1].after)
    assert (unfinished / "edgener.json").read_bytes() == (finished[0] / "edgener.json").read_bytes()
    assert [path.name for path in unfinished.parent.iterdir()] == ["checkpoint"]


def test_resume_with_nothing_unfinished_starts_at_the_beginning(few: Few, quick: Quick, tmp_path: Path) -> None:
    assert len(train(few, quick(epochs=1), tmp_path / "out", resume=True).epochs) == 1


@pytest.fixture
def one_thread_again() -> Iterator[None]:
    yield
    limit_pytorch(1)


def test_a_resumed_run_keeps_its_threads(
    few: Few, quick: Quick, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, one_thread_again: None
) -> None:
    """The last digits of the weights depend on them, and the load of the machine has changed."""
    scores = iter([0.5])

    def broken_off(*_: Any) -> Callable[[Any], dict[str, float]]:
        return lambda _: {"f1": next(scores)}

    out = tmp_path / "out"
    with monkeypatch.context() as patch, pytest.raises(StopIteration):
        patch.setattr(trainer_module, "_entity_metrics", broken_off)
        train(few, quick(threads=2), out)
    limit_pytorch(1)
    with pytest.raises(UserInputError, match="had other settings"):
        train(few, quick(threads=3), out, resume=True)
    train(few, quick(), out, resume=True)
    assert limit_pytorch(None) == 2
    assert json.loads((out / "edgener.json").read_text())["hyper_parameters"]["threads"] == 2


def test_the_patience_counts_on_over_an_interruption(
    few: Few, quick: Quick, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = iter([0.9, 0.8, 0.7, 0.6, 0.5])

    def scripted(*_: Any) -> Callable[[Any], dict[str, float]]:
        def score(_: Any) -> dict[str, float]:
            score = next(scores)
            if score == 0.7 and first:
                raise KeyboardInterrupt
            return {"f1": score}

        return score

    monkeypatch.setattr(trainer_module, "_entity_metrics", scripted)
    config = quick(epochs=5, patience=2)
    first = True
    with pytest.raises(KeyboardInterrupt):  # in the third epoch, after one without a better score
        train(few, config, tmp_path / "out")
    first = False
    result = train(few, config, tmp_path / "out", resume=True)
    assert [row["epoch"] for row in result.epochs] == [1, 2, 3]


def test_a_run_that_had_stopped_early_trains_no_further(
    few: Few, quick: Quick, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = iter([0.9, 0.8])
    monkeypatch.setattr(trainer_module, "_entity_metrics", lambda *_: lambda _: {"f1": next(scores)})
    config, out = quick(epochs=5, patience=1), tmp_path / "out"
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("edgener.train.run._write", interrupt)
        train(few, config, out)
    result = train(few, config, out, resume=True)
    assert [row["epoch"] for row in result.epochs] == [1, 2]


def interrupt(*_: Any) -> None:
    raise KeyboardInterrupt


def test_the_best_epoch_is_whole_where_the_encoder_s_files_have_old_names(
    few: Few, quick: Quick, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    weights: Callable[[Path], dict[str, Any]],
) -> None:  # fmt: skip
    """transformers saves such names again, and its Trainer does not find them when it loads the best epoch."""
    from safetensors.torch import save_file

    old = shutil.copytree(tiny, tmp_path / "old")
    for new, before in (("weight", "gamma"), ("bias", "beta")):
        renamed = {name.replace(f"LayerNorm.{new}", f"LayerNorm.{before}"): own for name, own in weights(old).items()}
        save_file(renamed, old / "model.safetensors", {"format": "pt"})
    found = []
    for source in (tiny, old):
        scores = iter([0.9, 0.8])
        monkeypatch.setattr(trainer_module, "_entity_metrics", lambda *_, s=scores: lambda _: {"f1": next(s)})
        train(few, quick(epochs=2, model=str(source)), tmp_path / f"out-{source.name}")
        found.append(open_model(tmp_path / f"out-{source.name}"))
    assert all(own.equal(found[1][name]) for name, own in found[0].items())


def open_model(folder: Path) -> dict[str, Any]:
    from transformers import AutoModelForTokenClassification

    return dict(AutoModelForTokenClassification.from_pretrained(folder).state_dict())

"""The update command: what it hands over, prints, and refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from edgener.cli.main import main
from edgener.parity.bootstrap import Estimate
from edgener.parity.budgets import UPDATE_BUDGET, Budget
from edgener.parity.gate import Judgement, Verdict
from edgener.parity.update import UpdateReport

Run = Callable[..., Result]


def result(verdict: Verdict, checkpoint: str | None) -> Any:
    from edgener.train.update import UpdateResult

    loss = Estimate(0.04, 0.02, 0.06)
    judgement = Judgement(UPDATE_BUDGET.figure, None, 0.01, loss, verdict, 900, 4000)
    reports = [
        UpdateReport(data, ("PART",), 300, 900, 0.8, 0.76, -loss, (judgement,), verdict)
        for data in ("old (test)", "new (test)")
    ]
    return UpdateResult(checkpoint, ("CUSTOMER",), verdict, *reports)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the command hands over; nothing is trained. --resume gives a pass."""
    from edgener.train.update import RefusedUpdateError

    calls: list[Any] = []

    def note(path: Path, out: Path, spec: Any, config: Path | None, resume: bool) -> Any:
        calls.append(spec)
        if not resume:
            raise RefusedUpdateError(result(Verdict.INCONCLUSIVE if spec.allow_new_labels else Verdict.FAIL, None))
        return result(Verdict.PASS, str(out))

    monkeypatch.setattr("edgener.train.update.update", note)
    return calls


@pytest.fixture
def run(sentences: Path, tmp_path: Path) -> Run:
    """`run(*options)` is the command on a sentence per split, with the first for training also in a test set."""
    settings = tmp_path / "settings.yaml"
    settings.write_text("threads: 1")
    given = ("checkpoint", "--new", sentences, "--replay", sentences, "--config", settings, "--out", tmp_path / "out")
    return lambda *options: CliRunner().invoke(main, ["update", *map(str, (*given, *options))])


def test_what_is_asked_for_is_handed_over(run: Run, asked: list[Any]) -> None:
    run("--max-f1-drop", "PART=0.2", "--replay-share", 0.25, "--allow-new-labels")
    (spec,) = asked
    assert spec.budgets == (UPDATE_BUDGET, Budget(UPDATE_BUDGET.figure, 0.2, "PART"))
    assert spec.share == 0.25 and spec.allow_new_labels
    assert set(spec.new) == set(spec.replay) == {"train", "valid", "test"}


def test_sentences_of_the_test_sets_are_left_out_with_a_note(run: Run, asked: list[Any]) -> None:
    done = run()
    assert asked[0].new["train"].sentences == () and "sentences that a test set has too" in done.stderr


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        ([], 3, "old (test): the update lost 0.0400 of entity F1 (0.0200 to 0.0600), allowed 0.0100"),
        (["--allow-new-labels"], 4, "900 entities are too few for a verdict, about 4,000 are enough"),
        (["--resume"], 0, ""),
    ],
)
def test_the_verdict_is_the_exit_code(run: Run, asked: list[Any], options: list[str], code: int, said: str) -> None:
    done = run(*options)
    assert done.exit_code == code and said in done.stderr and ("Nothing was written." in done.stderr) is bool(code)
    assert "old (test)" in done.stdout and "0.8000" in done.stdout and "-0.0600..-0.0200" in done.stdout
    assert "new labels: CUSTOMER" in done.stdout and ("checkpoint: " in done.stdout) is not bool(code)
    printed = json.loads(run(*options, "--json").stdout)
    assert printed["old"]["f1_difference"]["low"] == -0.06 and bool(printed["checkpoint"]) is not bool(code)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--replay-share", "0"], "'--replay-share'"),
        (["--replay-share", "nan"], "'--replay-share'"),
        (["--max-f1-drop", "PART=much"], "--max-f1-drop is 'PART=much'"),
        (["--replay", "nowhere"], "nowhere"),
        (["--cut", "80/10/10"], "are split already"),
        ([], "checkpoint is not a checkpoint: it has no config.json"),
    ],
)
def test_bad_input_is_exit_2_and_a_message(run: Run, tmp_path: Path, options: list[str], message: str) -> None:
    done = run(*options)
    assert done.exit_code == 2 and message in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["settings.yaml"]

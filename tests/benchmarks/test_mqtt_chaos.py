"""benchmarks/mqtt_chaos.py: a broker restarted and a bridge killed lose nothing, and what would be lost is counted."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import astuple
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

pytest.importorskip("paho", reason="the runtime's extra mqtt is not installed")

ROOT = Path(__file__).resolve().parents[2]
BUNDLE = ROOT / "runtime" / "tests" / "bundle"
ENTITY = {"label": "EQUIPMENT", "start": 0, "end": 4, "score": 0.5, "text": "pump"}
PAYLOADS = [b'{"id": 0, "text": "pump"}', b'{"id": 1, "text": "leak"}']
EXPECTED = [[("EQUIPMENT", 0, 4, "pump")], []]


@pytest.fixture(scope="module")
def script(benchmark_script: Callable[[str], ModuleType]) -> ModuleType:
    return benchmark_script("mqtt_chaos")


@pytest.mark.skipif(
    not shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin"), reason="no mosquitto on this machine"
)
def test_every_message_is_answered_while_the_broker_is_restarted_and_the_bridge_killed(
    script: ModuleType, tmp_path: Path
) -> None:
    words = [BUNDLE, "--data", "builtin:factory", "--messages", 300, "--out", tmp_path / "chaos.json"]
    done = CliRunner().invoke(script.main, list(map(str, words)))
    assert done.exit_code == 0, done.output
    record = json.loads((tmp_path / "chaos.json").read_text())
    assert (record["messages"], record["unanswered"], record["wrong"], record["dead_letters"]) == (300, 0, 0, 0)
    assert record["different_answers"] > 200  # or one could pass for another


def answer(script: ModuleType, number: int, **changed: Any) -> Any:
    """The right answer to a message, but for what is changed."""
    key = script.IncomingMessage(script.REQUESTS, PAYLOADS[number]).key
    record = {
        **json.loads(PAYLOADS[number]),
        "entities": [ENTITY] * (number == 0),
        "key": key,
        "bundle_version": "f0be",
        **changed,
    }
    return SimpleNamespace(topic=script.ANSWERS, payload=json.dumps(record).encode())


def judged(script: ModuleType, *came: Any) -> tuple[int, ...]:
    """Unanswered, wrong, second answers, dead letters."""
    return astuple(script.judge(PAYLOADS, EXPECTED, came))[1:]


def test_right_answers_are_counted_as_such(script: ModuleType) -> None:
    assert judged(script, answer(script, 0), answer(script, 1)) == (0, 0, 0, 0)


def test_a_message_without_an_answer_is_counted(script: ModuleType) -> None:
    assert judged(script, answer(script, 0)) == (1, 0, 0, 0)


def test_a_second_answer_is_counted(script: ModuleType) -> None:
    assert judged(script, answer(script, 0), answer(script, 1), answer(script, 0)) == (0, 0, 1, 0)


def test_a_dead_letter_is_counted(script: ModuleType) -> None:
    dead = SimpleNamespace(topic=script.DEAD_LETTERS, payload=b"{}")
    assert judged(script, answer(script, 0), answer(script, 1), dead) == (0, 0, 0, 1)


@pytest.mark.parametrize("changed", [{"entities": []}, {"text": "leak"}, {"key": "0" * 64}, {"order": 7}])
def test_an_answer_that_is_anothers_is_counted(changed: dict[str, Any], script: ModuleType) -> None:
    assert judged(script, answer(script, 0, **changed), answer(script, 1)) == (0, 1, 0, 0)

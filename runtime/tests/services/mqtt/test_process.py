"""The bridge as a process: a model that hangs, signals, memory, and another bridge of the same name."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("paho", reason="the extra mqtt is not installed")

from edgener_runtime.services.mqtt.broker import default_client_id
from edgener_runtime.services.mqtt.suspects import Suspects

pytestmark = pytest.mark.compat

Start = Callable[..., "subprocess.Popen[str]"]
HANGS = {"text": "an endless loop"}


def lines_until(process: subprocess.Popen[str], expected: str) -> list[str]:
    """The lines of stderr up to the first that has these letters."""
    assert process.stderr
    lines: list[str] = []
    while not lines or expected not in lines[-1]:
        line = process.stderr.readline()
        assert line, lines
        lines.append(line)
    return lines


def both_others_are_answered(asking: Any) -> bool:
    """Wait for the messages 0 and 2, which may be answered twice."""
    answered: set[int] = set()
    while not answered >= {0, 2}:
        answered.add(asking.record("out/entities")["id"])
    return answered == {0, 2}


# --- a model that hangs


def test_a_text_that_hangs_the_model_becomes_a_dead_letter_and_the_process_ends(
    keeping_broker: Any, peer: Callable[..., Any], start: Start
) -> None:
    asking = peer(keeping_broker)
    first = start(keeping_broker, "--overdue", 0.5, hangs_at="endless")
    asking.status("online")
    asking.ask(HANGS)
    asking.status("overdue")
    dead = asking.record("out/dead")
    assert (dead["reason"], dead["payload"]) == ("model-hangs", json.dumps(HANGS))
    asking.status("offline")
    assert first.wait(600) == 7
    assert first.stderr
    error = first.stderr.read()
    assert "overdue: a batch of 1 text (15 characters) has not returned for" in error
    assert "error: the model hangs: a batch of 1 text" in error
    start(keeping_broker, "--overdue", 0.5, hangs_at="endless")
    asking.ask({"text": "oil leak"})
    assert asking.record("out/entities")["text"] == "oil leak"
    assert asking.waiting.get("out/dead", []) == []


def test_a_text_that_hangs_the_model_among_others_is_found_after_a_restart(
    mosquitto: Callable[..., Any], peer: Callable[..., Any], start: Start
) -> None:
    broker = mosquitto()
    asking = peer(broker)
    first = start(broker)
    asking.status("online")
    first.send_signal(signal.SIGTERM)
    asking.status("offline")
    for number, text in enumerate(["pump", "an endless loop", "oil leak"]):
        asking.ask({"text": text, "id": number})
    codes = []
    for _ in range(2):
        process = start(broker, "--overdue", 0.5, hangs_at="endless")
        codes.append(process.wait(600))
    start(broker, "--overdue", 0.5, hangs_at="endless")
    assert both_others_are_answered(asking)
    assert (codes, asking.record("out/dead")["reason"]) == ([7, 7], "model-hangs")


def test_a_text_that_kills_the_process_is_found_after_two_more_restarts(
    mosquitto: Callable[..., Any], peer: Callable[..., Any], start: Start, tmp_path: Path
) -> None:
    broker = mosquitto()
    asking = peer(broker)
    crashing = {"hangs_at": "endless", "CRASHES": "yes", "RUNTIME_DIRECTORY": str(tmp_path)}
    first = start(broker, **crashing)
    asking.status("online")
    for number, text in enumerate(["pump", "an endless loop", "oil leak"]):
        asking.ask({"text": text, "id": number})
    codes = [first.wait(600), *(start(broker, **crashing).wait(600) for _ in range(2))]
    start(broker, **crashing)
    dead = asking.record("out/dead")
    assert (codes, dead["reason"], dead["payload"]) == (
        [-9] * 3,
        "process-ended",
        '{"text": "an endless loop", "id": 1}',
    )
    assert both_others_are_answered(asking)
    while (tmp_path / "computing").read_text():  # until the broker has confirmed the last answer
        time.sleep(0.05)


def test_without_a_folder_nothing_is_counted(tmp_path: Path) -> None:
    for environment in ({}, {"RUNTIME_DIRECTORY": str(tmp_path / "missing")}):
        suspects = Suspects.of_environment(environment)
        assert all(suspects.begin("7") for _ in range(5))
    suspects = Suspects.of_environment({"RUNTIME_DIRECTORY": f"{tmp_path}:/other"})
    (tmp_path / "computing").write_bytes(b"\xff damaged")
    assert [suspects.begin("7") for _ in range(3)] == [True, True, False]
    assert suspects.begin("8")


def test_a_model_that_hangs_on_every_text_ends_the_process_before_it_connects(
    mosquitto: Callable[..., Any], start: Start
) -> None:
    process = start(mosquitto(), "--overdue", 0.3, hangs_at="probe")
    _, error = process.communicate(timeout=600)
    assert process.returncode == 7
    assert "connected" not in error


def test_systemd_hears_that_it_is_ready_and_alive_and_that_it_stops(
    mosquitto: Callable[..., Any], start: Start, tmp_path: Path
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.settimeout(600)
        manager.bind(str(tmp_path / "notify"))
        process = start(mosquitto(), NOTIFY_SOCKET=str(tmp_path / "notify"))
        heard = [manager.recv(100)]
        while heard[-2:] != [b"READY=1", b"WATCHDOG=1"]:
            heard.append(manager.recv(100))
        process.send_signal(signal.SIGTERM)
        while heard[-1] != b"STOPPING=1":
            heard.append(manager.recv(100))
        assert process.wait(600) == 0


# --- signals


def test_the_first_signal_says_what_is_awaited_and_how_long(
    mosquitto: Callable[..., Any], peer: Callable[..., Any], start: Start
) -> None:
    broker = mosquitto()
    asking = peer(broker)
    process = start(broker, "--stop-within", 1, hangs_at="endless")
    asking.status("online")
    asking.ask(HANGS)
    lines_until(process, "hangs")
    process.send_signal(signal.SIGTERM)
    assert lines_until(process, "SIGTERM")[-1] == (
        "SIGTERM: stops after 1 message in progress, within 1 s; a second signal ends it at once\n"
    )
    assert process.wait(600) == 0
    assert lines_until(process, "stopped")[-1] == "stopped after 1 s, without 1 message in progress\n"
    asking.status("offline")
    start(broker)  # a model that does not hang
    assert asking.record("out/entities")["text"] == HANGS["text"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_second_signal_ends_the_bridge_at_once(
    number: signal.Signals, mosquitto: Callable[..., Any], peer: Callable[..., Any], start: Start
) -> None:
    broker = mosquitto()
    asking = peer(broker)
    process = start(broker, "--stop-within", 600, hangs_at="endless")
    asking.status("online")
    asking.ask(HANGS)
    lines_until(process, "hangs")
    process.send_signal(number)
    lines_until(process, "a second signal ends it at once")
    process.send_signal(number)
    assert process.wait(60) == 128 + number
    assert lines_until(process, "again")[-1] == f"{number.name} again: ends at once, without 1 message in progress\n"


def relabelled(bundle: Path, label: str) -> None:
    """Give a bundle's equipment another name, in one step as an update does."""
    manifest = bundle / "manifest.json"
    record = json.loads(manifest.read_text(encoding="utf-8"))
    record["labels"] = [re.sub(r"(EQUIPMENT|NEW\d)$", label, name) for name in record["labels"]]
    (bundle.parent / "manifest.json").write_text(json.dumps(record), encoding="utf-8")
    (bundle.parent / "manifest.json").replace(manifest)


def test_sighup_takes_a_changed_bundle_without_a_gap(
    mosquitto: Callable[..., Any], peer: Callable[..., Any], start: Start, copy: Path
) -> None:
    broker = mosquitto()
    asking = peer(broker)
    process = start(broker, bundle=copy)
    asking.status("online")
    asked = answered = 0
    for update in range(5):
        relabelled(copy, f"NEW{update}")
        process.send_signal(signal.SIGHUP)
        labels: set[str] = set()
        while f"NEW{update}" not in labels:
            asking.ask({"text": "Pump P-101 leaks at the seal", "id": asked})
            asked += 1
            answer = asking.record("out/entities")
            assert answer["id"] == answered
            answered += 1
            labels |= {entity["label"] for entity in answer["entities"]}
    (copy / "manifest.json").write_text("{}")
    process.send_signal(signal.SIGHUP)
    assert "manifest.json has schema version None" in lines_until(process, "not reloaded")[-1]
    asking.ask({"text": "Pump P-101 leaks at the seal"})
    assert {entity["label"] for entity in asking.record("out/entities")["entities"]} >= {"NEW4"}
    process.send_signal(signal.SIGTERM)
    assert process.wait(600) == 0
    assert asking.waiting.get("out/dead", []) == []


# --- memory


def memory(process: subprocess.Popen[str], field: str) -> float:
    """VmRSS or VmHWM of a process, in MB."""
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) / 1000
    raise AssertionError(field)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc on this machine")
@pytest.mark.parametrize(
    ("payload", "count", "reason"),
    [
        (b'{"text": "' + b"x" * 8_000_000 + b'"}', 40, "too-long"),
        (b'{"text": "' + b"x" * 120_000_000 + b'"}', 1, "too-long"),
        (b'{"text": "pump", "x": [' + b"[]," * 20_000 + b"[]]}", 300, None),
        (b'{"text": "' + b"oil leak at pump P-101 " * 2_800 + b'"}', 6, None),
    ],
    ids=["long", "very-long", "many-values", "many-entities"],
)
def test_memory_stays_within_its_bound(
    payload: bytes, count: int, reason: str | None, keeping_broker: Any, peer: Callable[..., Any], start: Start
) -> None:
    """The bound of docs/explanation/mqtt-delivery.md; 40 messages of 8 MB took 320 MB."""
    asking = peer(keeping_broker)
    process = start(keeping_broker)
    asking.status("online")
    asking.ask({"text": "oil leak"})
    asking.record("out/entities")
    before = memory(process, "VmRSS")
    for _ in range(count):
        asking.ask(payload)
    if reason:
        dead = [asking.record("out/dead") for _ in range(count)]
        assert {(one["reason"], one["bytes"], len(one["payload"])) for one in dead} == {(reason, len(payload), 65536)}
    else:
        for _ in range(count):
            asking.message("out/entities")
    assert memory(process, "VmHWM") - before < (16 if reason else 100)


# --- another bridge


def test_two_bridges_of_one_name_end_one_of_them_with_a_word_on_it(keeping_broker: Any, start: Start) -> None:
    bridges = [start(keeping_broker) for _ in range(2)]
    while all(bridge.poll() is None for bridge in bridges):
        time.sleep(0.1)
    [ended], [running] = ([bridge for bridge in bridges if (bridge.poll() is None) is runs] for runs in (False, True))
    assert ended.returncode == 2
    message = f"error: another client connected to 127.0.0.1:{keeping_broker.port} as bridge and took the session over"
    assert message in lines_until(ended, "error: ")[-1]
    running.send_signal(signal.SIGTERM)
    assert running.wait(600) == 0


def test_a_message_for_which_the_broker_hangs_up_is_not_from_another_bridge(
    mosquitto: Callable[..., Any], peer: Callable[..., Any], start: Start
) -> None:
    broker = mosquitto("allow_anonymous true", "max_packet_size 1000")
    broker.protocol = "3.1.1"
    asking = peer(broker)
    start(broker, "--client-id", "other", "--requests", "other")  # says online on the same topic
    process = start(broker)
    for _ in range(2):
        asking.status("online")
    asking.ask({"text": "oil leak " * 20})
    assert asking.record("out/dead")["reason"] == "refused"
    assert process.poll() is None


def test_names_are_different_on_each_host_and_for_each_bundle_and_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def host(name: str, machine: str = "", serial: str = "") -> Path:
        root = tmp_path / f"{name}-{machine}-{serial}"
        (root / "etc").mkdir(parents=True, exist_ok=True)
        (root / "proc" / "device-tree").mkdir(parents=True, exist_ok=True)
        (root / "etc" / "machine-id").write_text(machine)
        (root / "proc" / "device-tree" / "serial-number").write_text(serial)
        monkeypatch.setattr(socket, "gethostname", lambda: name)
        return root

    names = [
        default_client_id(Path(bundle), host(*marks))
        for bundle in ("bundle", "other")
        for marks in (("line7",), ("line8",), ("line7", "a"), ("line7", "b"), ("line7", "b", "1"), ("line7", "b", "2"))
    ]
    assert len(set(names)) == 12
    assert all(len(name) == 23 and name.replace("-", "").isalnum() for name in names)
    assert names[0] == default_client_id(Path("bundle"), host("line7"))
    assert default_client_id(Path("bundle"), tmp_path / "bare") == default_client_id(Path("bundle"), tmp_path / "bare")


# --- a model whose answers drift


def test_the_status_says_that_the_selftest_fails_until_it_passes(
    keeping_broker: Any, peer: Callable[..., Any], start: Start, golden_bundle: Path, drift: tuple[str, Path]
) -> None:
    code, switch = drift
    asking = peer(keeping_broker)
    start(keeping_broker, "--selftest-every", 0.0001, bundle=golden_bundle, code=code)
    asking.status("online")
    switch.touch()
    asking.status("selftest-failed")
    asking.ask({"text": "oil leak"})
    assert asking.record("out/entities")["text"] == "oil leak"
    switch.unlink()
    asking.status("online")

"""The command in its own process: killed, stopped, and refused."""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.compat

pytest.importorskip("paho", reason="the extra mqtt is not installed")

Start = Callable[..., "subprocess.Popen[str]"]


def test_no_message_is_lost_when_the_bridge_is_killed_in_the_middle(
    mosquitto: Callable[..., Any], peer: Callable[..., Any], start: Start
) -> None:
    broker = mosquitto()
    asking = peer(broker)
    first = start(broker)
    asking.status("online")
    for number in range(400):
        asking.ask({"text": f"oil leak {number}", "id": number})
    answered = {asking.record("out/entities")["id"] for _ in range(20)}
    first.kill()
    asking.status("offline")  # its will
    start(broker)
    while len(answered) < 400:
        answered.add(asking.record("out/entities")["id"])


def test_sigterm_answers_what_is_in_progress_and_leaves_the_rest_to_the_broker(
    mosquitto: Callable[..., Any], peer: Callable[..., Any], start: Start
) -> None:
    broker = mosquitto()
    asking = peer(broker)
    first = start(broker, "--window", 1000)  # more than there are, whatever the broker makes of it
    asking.status("online")
    for number in range(400):
        asking.ask({"text": f"oil leak {number}", "id": number})
    answered = [asking.record("out/entities")["id"] for _ in range(20)]
    first.send_signal(signal.SIGTERM)
    asking.status("offline")
    assert first.wait(600) == 0
    start(broker, "--window", 1000)
    while len(answered) < 400:
        answered.append(asking.record("out/entities")["id"])
    assert sorted(answered) == list(range(400))  # each once: nothing was cut off


def test_credentials_come_from_a_file_or_the_environment(
    mosquitto: Callable[..., Any], peer: Callable[..., Any], start: Start, tmp_path: Path
) -> None:
    users = tmp_path / "users"
    subprocess.run(["mosquitto_passwd", "-b", "-c", users, "plant7", "hunter2"], check=True)
    (tmp_path / "password").write_text("hunter2\n")
    (tmp_path / "password").chmod(0o600)
    broker = mosquitto("allow_anonymous false", f"password_file {users}")
    for options, environment in (
        (("--password-file", tmp_path / "password"), {}),
        ((), {"EDGENER_MQTT_PASSWORD": "hunter2"}),
    ):
        process = start(broker, "--username", "plant7", *options, **environment)
        assert process.stderr
        assert process.stderr.readline().startswith("connected to 127.0.0.1")
        process.send_signal(signal.SIGTERM)
        assert process.wait(600) == 0
    refused = start(broker, "--username", "plant7", EDGENER_MQTT_PASSWORD="hunter3")
    _, error = refused.communicate(timeout=600)
    assert refused.returncode == 2
    assert error.startswith(
        f"error: the broker at 127.0.0.1:{broker.port} refuses client bridge: Not authorized\n  Check"
    )
    assert "hunter3" not in error


@pytest.mark.skipif(not shutil.which("openssl"), reason="no openssl on this machine to make certificates with")
def test_tls_trusts_only_the_authority_it_was_given(
    mosquitto: Callable[..., Any], peer: Callable[..., Any], start: Start, tmp_path: Path, free_port: int
) -> None:
    certificates = {name: self_signed(tmp_path, name) for name in ("broker", "other")}
    certificate, key = certificates["broker"]
    secure = (f"listener {free_port} 127.0.0.1", f"certfile {certificate}", f"keyfile {key}")
    broker = mosquitto("allow_anonymous true", *secure)
    asking = peer(broker)
    start(broker, "--port", free_port, "--tls", "--ca-file", certificate, "--window", 1000)
    asking.status("online")
    for number in range(200):
        asking.ask({"text": "oil leak " * (number % 50), "id": number})
    assert [asking.record("out/entities")["id"] for _ in range(200)] == list(range(200))
    for options in (("--ca-file", certificates["other"][0]), ()):
        wary = start(broker, "--port", free_port, "--tls", *options)
        _, error = wary.communicate(timeout=600)
        assert wary.returncode == 2
        assert "shows a certificate that is not trusted" in error


def self_signed(folder: Path, name: str) -> tuple[Path, Path]:
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1",
         "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    return certificate, key


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--ca-file", "ca.pem"], "error: --ca-file without --tls would not be used"),
        (["--requests", "#"], "error: answers on edgener/answers would come back as requests: # matches it"),
        (["--password-file", "missing", "--username", "plant7"], "error: cannot read the password in missing"),
        (["--threshold", "EQUIP=0.5"], "error: there is no label 'EQUIP' to give a threshold"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_is_connected(
    options: list[str], message: str, bundle: Path, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EDGENER_MQTT_PASSWORD", raising=False)
    done = run("mqtt", bundle, "--host", "no-such-host.invalid", *options)
    assert done.code == 2
    assert done.err.startswith(message)


def test_without_the_client_library_the_command_names_the_extra(
    bundle: Path, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    done = run("mqtt", bundle)
    assert done.code == 6
    assert 'pip install "edgener-runtime[mqtt]"' in done.err

"""Secrets of the machine that exports and signs are in no file of the bundle and in no line of the commands."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import pytest

from .running import run

pytestmark = pytest.mark.trust
SECRETS = {
    "EDGENER_KEY_PASSWORD": "Zq7-key-password",
    "EDGENER_TOKEN": "Zq7-bearer-token",
    "HTTPS_PROXY": "http://user:Zq7-proxy-password@127.0.0.1:9",
    "AWS_SECRET_ACCESS_KEY": "Zq7-object-store",
    "HF_TOKEN": "Zq7-hub-token",
    "EDGENER_MQTT_PASSWORD": "Zq7-broker-password",
    "PIP_INDEX_URL": "https://user:Zq7-index-password@index.invalid/simple",
    "DOCKER_AUTH_CONFIG": '{"auths": {"registry.invalid": {"auth": "Zq7-registry-auth"}}}',
    "no_proxy": "127.0.0.1",
}
FOLDER = "Zq7-customer-name"
TEXT = "Zq7 text that a customer wrote about pump P-101"
TRANSFER = """
import sys
from edgener_runtime.errors import EdgenerError
from edgener_runtime.updates.transports.open import TransferBounds, open_transport
try:
    next(open_transport(sys.argv[1], TransferBounds()).read("metadata/root.json", 0))
except EdgenerError as error:
    print(error, file=sys.stderr)
    sys.exit(error.exit_code)
"""
EDGENER, RUNTIME = ("-m", "edgener"), ("-m", "edgener_runtime")


@pytest.fixture
def workplace(tmp_path: Path, trained: Path, small_data: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a secret in its name, the checkpoint and the data in it, and secrets in the environment."""
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    folder = tmp_path / FOLDER
    shutil.copytree(trained, folder / "checkpoint")
    shutil.copytree(small_data, folder / "data")
    return folder


def leaks(found: bytes, *more: str) -> list[str]:
    """The planted secrets in some bytes."""
    marked = re.findall(rb"Zq7-[a-z]+-[a-z]+", found)
    return sorted({mark.decode() for mark in marked} - ({FOLDER} - set(more)))


def test_a_planted_secret_is_found() -> None:
    assert leaks(b"x Zq7-hub-token y http://user:Zq7-proxy-password@a") == ["Zq7-hub-token", "Zq7-proxy-password"]
    assert leaks(FOLDER.encode(), FOLDER) == [FOLDER] and not leaks(f"pump {FOLDER} P-101".encode())
    assert all(leaks(value.encode()) for value in SECRETS.values() if value != "127.0.0.1")


def test_no_secret_is_in_a_bundle_a_log_or_a_report(workplace: Path) -> None:
    outputs = []
    for command in (
        (*EDGENER, "export", "checkpoint", "--data", workplace / "data", "--variant", "fp32", "--max-f1-drop", "0.1",
         "--out", workplace / "bundle"),
        (*EDGENER, "keygen", "--out", "release"),
        (*EDGENER, "sign", "bundle", "--key", "release.key"),
        (*EDGENER, "sign", "bundle", "--key", "checkpoint/config.json"),
        (*RUNTIME, "verify", "bundle", "--require-signature", "release.pub"),
        (*RUNTIME, "selftest", "bundle", "--seconds", "0.2", "--out", "selftest.json"),
    ):  # fmt: skip
        done = run([sys.executable, *command], cwd=workplace)
        assert done.returncode == (2 if "checkpoint/config.json" in command else 0), done.stderr
        outputs.append((done.stdout + done.stderr).encode())
    assert [leaks(output) for output in outputs] == [[]] * len(outputs)
    assert [leaks(file.read_bytes()) for file in sorted(workplace.glob("selftest.*"))] == [[], []]
    files = [file for file in (workplace / "bundle").rglob("*") if file.is_file()]
    assert {file.name for file in files} >= {"manifest.json", "manifest.json.sig", "reproduce.sh", "report.html"}
    assert {file.name: found for file in files if (found := leaks(file.read_bytes(), FOLDER))} == {}


def test_no_secret_is_in_reports_on_the_machine_or_in_what_is_published(workplace: Path, exported: Path) -> None:
    """Keys with a password, publication, JSON for programs, and a benchmark's result."""
    shutil.copytree(exported, workplace / "bundle")
    for role in ("root", "targets", "snapshot", "timestamp"):
        run([sys.executable, *EDGENER, "keygen", "--out", f"keys/{role}"], cwd=workplace)
    for command in (
        (*EDGENER, "publish", "bundle", "updates", "--keys", "keys", "--json"),
        (*RUNTIME, "pull", "updates", "--out", "pulled", "--variant", "fp32", "--root", "updates/metadata/1.root.json"),
        (*EDGENER, "doctor", "--json"),
        (*EDGENER, "doctor"),
        (*RUNTIME, "devices", "--json"),
        (*RUNTIME, "install", "bundle", "--store", "store"),
        (*RUNTIME, "list", "--store", "store", "--json"),
        (*RUNTIME, "bench", "bundle", "--variant", "fp32", "--seconds", "1", "--json"),
    ):
        done = run([sys.executable, *command], cwd=workplace)
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        assert leaks((done.stdout + done.stderr).encode()) == [], command
    published = [file for folder in ("updates", "pulled", "store") for file in (workplace / folder).rglob("*")]
    assert len(published) > 20
    assert {file.name: found for file in published if file.is_file() and (found := leaks(file.read_bytes()))} == {}


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ((*RUNTIME, "pull", "https://user:Zq7-url-password@127.0.0.1:9/ner"), 2),
        ((*RUNTIME, "pull", "https://127.0.0.1:9/ner?token=Zq7-url-token"), 2),
        ((*RUNTIME, "pull", "oci://user:Zq7-registry-password@127.0.0.1:9/ner:latest"), 2),
        (("-c", TRANSFER, "https://updates.invalid/ner"), 6),  # through the proxy, which is not there
        (("-c", TRANSFER, "oci://registry.invalid/ner:latest"), 6),
        ((*RUNTIME, "mqtt", "bundle", "--host", "user:Zq7-host-password@127.0.0.1", "--username", "user"), 2),
        ((*EDGENER, "sign", "bundle", "--key", "pkcs11:token=a;object=b?module-path=/x.so&pin-value=Zq7-token-pin"), 2),
        ((*EDGENER, "sign", "bundle", "--key", "pkcs11:token=a;object=b?module-path=/absent/Zq7.so"), 6),
    ],
)
def test_an_error_repeats_no_secret(workplace: Path, exported: Path, command: tuple[str, ...], code: int) -> None:
    shutil.copytree(exported, workplace / "bundle")
    (workplace / "root.json").write_text("{}", encoding="utf-8")
    pull = ("--out", "pulled", "--variant", "fp32", "--root", "root.json") if "pull" in command else ()
    done = run([sys.executable, *command, *pull], cwd=workplace)
    assert done.returncode == code, done.stderr
    assert leaks((done.stdout + done.stderr).encode()) == [] and "Traceback" not in done.stderr


def test_texts_are_in_answers_and_not_in_logs(workplace: Path, exported: Path) -> None:
    done = run([sys.executable, *RUNTIME, "predict", exported, TEXT], cwd=workplace)
    assert TEXT in done.stdout and TEXT not in done.stderr
    code = f"from edgener_runtime import TokenClassifier as T; print(T.load({str(exported)!r}).explain())"
    done = run([sys.executable, "-c", code], cwd=workplace)
    assert done.returncode == 0 and TEXT not in done.stderr and leaks((done.stdout + done.stderr).encode()) == []

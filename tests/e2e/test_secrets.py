"""Secrets of the machine that exports and signs are in no file of the bundle and in no line of the commands."""

from __future__ import annotations

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
}
FOLDER = "Zq7-customer-name"
TEXT = "Zq7 text that a customer wrote about pump P-101"
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
    return [secret for secret in (*SECRETS.values(), *more) if (secret.rpartition("@")[0] or secret).encode() in found]


def test_a_planted_secret_is_found() -> None:
    proxy = b"user:Zq7-proxy-password@another"
    assert leaks(b"x Zq7-hub-token y") == ["Zq7-hub-token"] and leaks(b"http://" + proxy) and not leaks(b"pump P-101")


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


def test_texts_are_in_answers_and_not_in_logs(workplace: Path, exported: Path) -> None:
    done = run([sys.executable, *RUNTIME, "predict", exported, TEXT], cwd=workplace)
    assert TEXT in done.stdout and TEXT not in done.stderr

"""The lock file of a device, installed with hashes alone into an empty environment; make release-check."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import ROOT, Environment
from .test_clean_install import BUNDLE, TEXT, only

pytestmark = pytest.mark.install

LOCK = ROOT / "locks" / "device.txt"
Make = Callable[[], Environment]


def test_a_device_runs_a_bundle_on_what_is_locked(dist: Path, make_environment: Make) -> None:
    environment = make_environment()
    environment.install("--no-compile", "--require-hashes", "--only-binary=:all:", "-r", LOCK)
    environment.install("--no-deps", only(dist, "edgener_runtime-*.whl"))
    (answer,) = environment.answer("edgener-runtime", "predict", BUNDLE, TEXT).splitlines()
    assert json.loads(answer)["entities"]
    for command in ("serve", "mqtt", "pull", "verify"):
        environment.answer("edgener-runtime", command, "--help")
    environment.answer("python", "-c", "import oras, tuf, cryptography, starlette, uvicorn, paho.mqtt")


def test_arm64_has_wheels_with_these_hashes(make_environment: Make, tmp_path: Path) -> None:
    tags = [f"manylinux_2_{glibc}_aarch64" for glibc in (28, 17)] + ["manylinux2014_aarch64"]
    machine = [word for tag in tags for word in ("--platform", tag)]
    target = ["--target", tmp_path / "device", "--python-version", "3.12", "--only-binary=:all:", *machine]
    make_environment().install("--dry-run", "--no-deps", *target, "--require-hashes", "-r", LOCK)


def test_a_file_with_another_hash_is_refused(make_environment: Make, tmp_path: Path) -> None:
    lock = tmp_path / "lock.txt"
    lock.write_text("click==8.5.1 --hash=sha256:" + "0" * 64 + "\n", encoding="utf-8")
    with pytest.raises(AssertionError, match="DO NOT MATCH THE HASHES"):
        make_environment().install("--require-hashes", "-r", lock)

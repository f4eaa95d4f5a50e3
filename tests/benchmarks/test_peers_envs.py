"""The environments of the peers: only those that are named, each by its own tool, and kept while they are ready."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "peers" / "make_envs.sh"

# Stands for python and for the python of each environment: notes what is asked, makes what `-m venv FOLDER` would.
FAKE = """#!/bin/sh
echo "$(basename "$0") $*" >> "$NOTED"
if [ "$2" = venv ]; then mkdir -p "$3/bin" && cp "$0" "$3/bin/python"; fi
"""


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file with what python and npm were asked."""
    for name in ("python", "npm"):
        (tmp_path / name).write_text(FAKE)
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("NOTED", str(tmp_path / "asked"))
    return tmp_path / "asked"


def make(folder: Path, *names: str) -> None:
    command = ["bash", str(SCRIPT), str(folder), "python", "torch==0+cpu", *names]
    subprocess.run(command, check=True, capture_output=True)


def test_torch_comes_first_and_by_itself_where_it_is_needed(asked: Path, tmp_path: Path) -> None:
    make(tmp_path / "envs", "executorch", "onnxruntime")
    lines = asked.read_text().splitlines()
    assert [line.split()[-1] for line in lines] == [
        str(tmp_path / "envs" / "executorch"),
        "torch==0+cpu",
        str(SCRIPT.parent / "requirements" / "executorch.txt"),
        str(tmp_path / "envs" / "onnxruntime"),
        str(SCRIPT.parent / "requirements" / "onnxruntime.txt"),
    ]


def test_packages_for_node_are_installed_by_npm(asked: Path, tmp_path: Path) -> None:
    make(tmp_path / "envs", "transformersjs")
    [line] = asked.read_text().splitlines()
    assert line.startswith(f"npm install --prefix {tmp_path / 'envs' / 'transformersjs'} ")
    packages = (tmp_path / "envs" / "transformersjs" / "package.json").read_bytes()
    assert packages == (SCRIPT.parent / "requirements" / "transformersjs.json").read_bytes()


def test_an_environment_that_is_ready_is_kept(asked: Path, tmp_path: Path) -> None:
    make(tmp_path / "envs", "onnxruntime")
    before = asked.read_text()
    make(tmp_path / "envs", "onnxruntime")
    assert asked.read_text() == before


def test_our_own_packages_are_installed_as_they_stand_each_time(asked: Path, tmp_path: Path) -> None:
    for _ in range(2):
        make(tmp_path / "envs", "edgener")
        assert asked.read_text().splitlines()[-1].endswith("/runtime/ops")


def test_without_names_every_environment_is_made(asked: Path, tmp_path: Path) -> None:
    make(tmp_path / "envs")
    made = {folder.name for folder in (tmp_path / "envs").iterdir()}
    assert made == {file.stem for file in (SCRIPT.parent / "requirements").iterdir()}

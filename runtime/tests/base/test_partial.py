"""What a killed process left unfinished is removed by the next one that writes there, and nothing else is."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from edgener_runtime.base.files import staged_folder, write_atomic

pytestmark = pytest.mark.compat

BEGIN = """
import sys, time
from pathlib import Path
from edgener_runtime.base.files import staged_folder
with staged_folder(Path(sys.argv[1]), "manifest.json") as staging:
    (staging / "model").write_bytes(bytes(1000))
    print("writing", flush=True)
    time.sleep(60)
"""


def begin(final: Path) -> subprocess.Popen[str]:
    """A process that is in the middle of writing a folder."""
    process = subprocess.Popen([sys.executable, "-c", BEGIN, str(final)], stdout=subprocess.PIPE, text=True)
    assert process.stdout and process.stdout.readline() == "writing\n"
    return process


def unfinished(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.endswith(".partial")]


@pytest.mark.parametrize("name", ["out", "out[1]*?"])
@pytest.mark.skipif(os.name == "nt", reason="Windows has no such locks")
def test_what_killed_processes_left_is_removed_and_reported(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        process = begin(tmp_path / name)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert unfinished(tmp_path)
    with caplog.at_level(logging.WARNING), staged_folder(tmp_path / name, "manifest.json") as staging:
        assert unfinished(tmp_path) == [staging.name]
    assert unfinished(tmp_path) == []
    assert "which a process that was killed had left" in caplog.text


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such locks")
def test_what_a_living_process_writes_is_left_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    process = begin(tmp_path / "out")
    try:
        before = unfinished(tmp_path)
        write_atomic(tmp_path / "out.json", "{}")
        with staged_folder(tmp_path / "out", "manifest.json") as staging:
            assert sorted(unfinished(tmp_path)) == sorted([*before, staging.name])
        assert unfinished(tmp_path) == before and not caplog.text
    finally:
        process.kill()
        process.communicate()


def test_unfinished_files_of_another_name_are_left_alone(tmp_path: Path) -> None:
    others = [
        ".outer.0123abcd.partial",
        ".out.backup-1.partial",
        ".out.partial",
        ".out.notes.0123abcd.partial",
        ".out.0123abcd.partial.txt",
    ]
    for name in others:
        (tmp_path / name).touch()
    write_atomic(tmp_path / "out", "new")
    assert {path.name for path in tmp_path.iterdir()} == {"out", *others}


def test_an_unfinished_file_is_removed_as_well(tmp_path: Path) -> None:
    (tmp_path / ".out.0123abcd.partial").write_text("half")
    write_atomic(tmp_path / "out", "new")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]

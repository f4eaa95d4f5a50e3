"""A result file that cannot be written is reported before the work, and its content is never lost after it."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edgener_runtime.cli.results import check_result_file, write_result
from edgener_runtime.errors import StorageError

pytestmark = pytest.mark.compat


def fail(*arguments: Any, **named: Any) -> None:
    raise OSError(28, "No space left on device")


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Path]:
    """A folder on a real disk of 64 KB that is full."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(disk)]
    if not shutil.which("mount") or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("this user cannot mount a small disk")
    try:
        with pytest.raises(OSError, match="No space"), (disk / "filler").open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        yield disk
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.parametrize(
    "arguments",
    [
        ("bench", "{bundle}", "--out", "{disk}/bench.json", "--seconds", "300"),
        ("selftest", "{bundle}", "--out", "{disk}/report.json"),
        ("tune", "{disk}/bundle"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_full_disk_is_reported_before_the_work(
    arguments: tuple[str, ...], full: Path, bundle: Path, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgener_runtime.pipeline.TokenClassifier.load", fail)  # the work
    done = run(*(argument.format(bundle=bundle, disk=full) for argument in arguments))
    assert done.code == 1 and not done.out
    assert f"cannot write {full}" in done.err and "No space left on device" in done.err


def test_a_check_leaves_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "result.json").write_text("old")
    check_result_file(tmp_path / "result.json")
    check_result_file(tmp_path / "new" / "result.json")
    assert (tmp_path / "result.json").read_text() == "old" and not list((tmp_path / "new").iterdir())


def test_a_result_that_cannot_be_written_is_in_a_temporary_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot write") as raised:
        write_result(tmp_path / "file" / "bench.json", json.dumps({"figure": "泵"}))
    rescued = next((tmp_path / "tmp").glob("bench-*.json"))
    assert json.loads(rescued.read_text(encoding="utf-8")) == {"figure": "泵"}
    assert raised.value.hint == f"Nothing is lost: the result is in {rescued}."


def test_where_no_temporary_file_can_be_written_it_is_on_stdout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    monkeypatch.setattr("tempfile.mkstemp", fail)
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot write") as raised:
        write_result(tmp_path / "file" / "bench.json", '{"figure": 1}\n')
    assert capfdbinary.readouterr().out == b'{"figure": 1}\n'
    assert raised.value.hint == "Nothing is lost: the result is on stdout."

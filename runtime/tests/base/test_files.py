"""Files and folders are whole or absent, whatever stops the writing."""

from __future__ import annotations

import errno
import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgener_runtime.base import files
from edgener_runtime.base.exchange import exchange
from edgener_runtime.base.files import make_folder, sha256_of, staged_folder, write_atomic
from edgener_runtime.errors import StorageError, UserInputError

pytestmark = pytest.mark.compat

MARKER = "manifest.json"
ERRNOS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EIO)
Breaker = Callable[..., None]


def contents(folder: Path) -> dict[str, str]:
    """All files below a folder, hidden ones too, and empty folders."""
    return {
        path.relative_to(folder).as_posix(): path.read_text() if path.is_file() else "/"
        for path in sorted(folder.rglob("*"))
    }


def raising(error: BaseException) -> Callable[..., None]:
    def fail(*arguments: Any, **named: Any) -> None:
        raise error

    return fail


def after(call: Callable[..., Any], error: BaseException) -> Callable[..., None]:
    """A function that does its work and is then interrupted."""

    def fail(*arguments: Any, **named: Any) -> None:
        call(*arguments, **named)
        raise error

    return fail


def test_a_hash_is_that_of_all_bytes(tmp_path: Path) -> None:
    data = bytes(range(256)) * 5000  # more than one piece
    (tmp_path / "file").write_bytes(data)
    assert sha256_of(tmp_path / "file") == hashlib.sha256(data).hexdigest()


# --- one file


@pytest.mark.parametrize(("content", "expected"), [("泵 🙂\n", "泵 🙂\n".encode()), (b"\x00\xff\r\n", b"\x00\xff\r\n")])
def test_text_is_written_as_utf_8_and_bytes_as_they_are(content: str | bytes, expected: bytes, tmp_path: Path) -> None:
    write_atomic(tmp_path / "new" / "folder" / "file", content)
    assert (tmp_path / "new" / "folder" / "file").read_bytes() == expected


def test_a_file_is_replaced_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("old")
    write_atomic(tmp_path / "file", "new")
    assert contents(tmp_path) == {"file": "new"}


FILE_STEPS = [(Path, "write_bytes"), (os, "fsync"), (Path, "replace")]


@pytest.mark.parametrize("number", ERRNOS)
@pytest.mark.parametrize(("owner", "step"), FILE_STEPS)
def test_a_disk_that_fails_at_any_step_leaves_the_old_file(
    owner: Any, step: str, number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("old")
    monkeypatch.setattr(owner, step, raising(OSError(number, os.strerror(number))))
    with pytest.raises(StorageError, match=f"cannot write .*file: {os.strerror(number)}"):
        write_atomic(tmp_path / "file", "new")
    assert contents(tmp_path) == {"file": "old"}


@pytest.mark.parametrize(("owner", "step"), FILE_STEPS[:2])
def test_an_interrupted_write_leaves_the_old_file(
    owner: Any, step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("old")
    monkeypatch.setattr(owner, step, after(getattr(owner, step), KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        write_atomic(tmp_path / "file", "new")
    assert contents(tmp_path) == {"file": "old"}


def test_a_file_that_the_system_lets_grow_no_further_leaves_the_old_one(tmp_path: Path) -> None:
    """Not simulated: the kernel refuses the bytes beyond a limit of 4 KB."""
    pytest.importorskip("resource")
    (tmp_path / "file").write_text("old")
    code = """
import resource, sys
from pathlib import Path
from edgener_runtime.errors import StorageError
from edgener_runtime.base.files import write_atomic
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    write_atomic(Path(sys.argv[1]), b"x" * 100_000)
except StorageError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "file"], capture_output=True, text=True, check=True)
    assert os.strerror(errno.EFBIG) in done.stdout
    assert contents(tmp_path) == {"file": "old"}


def test_an_error_that_is_not_the_disk_s_is_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "write_bytes", raising(OSError(errno.EMFILE, "too many open files")))
    with pytest.raises(OSError, match="too many open files"):
        write_atomic(tmp_path / "file", "new")
    assert contents(tmp_path) == {}


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="this user may write anywhere")
def test_a_folder_that_may_not_be_written_is_reported(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    with pytest.raises(StorageError, match="Permission denied"):
        write_atomic(tmp_path / "file", "new")


@pytest.mark.parametrize("name", ["file/below", "n" * 300])
def test_a_place_that_cannot_be_is_reported(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a file, not a folder")
    with pytest.raises(StorageError, match="cannot write"):
        write_atomic(tmp_path / name, "new")
    with pytest.raises(StorageError, match="cannot write"), staged_folder(tmp_path / name, MARKER):
        pass
    assert contents(tmp_path) == {"file": "a file, not a folder"}


# --- a folder


@pytest.fixture
def final(tmp_path: Path) -> Path:
    """A folder of ours, to be replaced."""
    folder = tmp_path / "final"
    folder.mkdir()
    (folder / MARKER).write_text("old")
    return folder


def can_exchange(folder: Path) -> bool:
    one, other = folder / ".one", folder / ".other"
    for path in (one, other):
        path.touch()
    try:
        return exchange(one, other)
    finally:
        for path in (one, other):
            path.unlink()


OLD = {"final": "/", f"final/{MARKER}": "old"}
NEW = {"final": "/", f"final/{MARKER}": "new", "final/below": "/", "final/below/model": "new"}


def build(final: Path) -> None:
    with staged_folder(final, MARKER) as staging:
        (staging / "below").mkdir()
        (staging / "below" / "model").write_text("new")
        (staging / MARKER).write_text("new")


def test_a_folder_appears_whole(tmp_path: Path) -> None:
    with staged_folder(tmp_path / "deep" / "final", MARKER) as staging:
        (staging / MARKER).write_text("new")
        assert not (tmp_path / "deep" / "final").exists()
        assert staging.parent == tmp_path / "deep"  # renamed, not copied
    assert contents(tmp_path / "deep") == {"final": "/", f"final/{MARKER}": "new"}


def test_a_folder_of_ours_is_replaced(final: Path) -> None:
    build(final)
    assert contents(final.parent) == NEW


def test_an_empty_folder_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "final").mkdir()
    build(tmp_path / "final")
    assert contents(tmp_path) == NEW


def test_a_folder_that_is_not_ours_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "final").mkdir()
    (tmp_path / "final" / "photos").write_text("mine")
    with pytest.raises(UserInputError, match=r"has no manifest\.json, so it is not replaced"):
        build(tmp_path / "final")
    assert contents(tmp_path) == {"final": "/", "final/photos": "mine"}


def test_a_file_in_the_folder_s_place_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "final").write_text("mine")
    with pytest.raises(UserInputError, match="is a file"):
        build(tmp_path / "final")
    assert contents(tmp_path) == {"final": "mine"}


def test_where_a_link_points_is_replaced_and_the_link_stays(final: Path) -> None:
    link = final.with_name("link")
    link.symlink_to(final.name)
    build(link)
    assert link.is_symlink()
    link.unlink()
    assert contents(final.parent) == NEW


@pytest.mark.parametrize("error", [RuntimeError("a bug"), KeyboardInterrupt(), OSError(errno.ENOSPC, "disk full")])
def test_a_block_that_fails_leaves_the_old_folder(error: BaseException, final: Path) -> None:
    expected = StorageError if isinstance(error, OSError) else type(error)
    with pytest.raises(expected), staged_folder(final, MARKER) as staging:
        (staging / MARKER).write_text("half")
        raise error
    assert contents(final.parent) == OLD


FOLDER_STEPS = [(Path, "mkdir"), (os, "fsync"), (Path, "rename")]


@pytest.fixture
def without_exchange(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system that cannot let two folders change places, as NFS and FAT."""
    monkeypatch.setattr(files, "exchange", lambda one, other: False)


def test_a_folder_is_replaced_where_no_exchange_is(final: Path, without_exchange: None) -> None:
    build(final)
    assert contents(final.parent) == NEW


def test_an_exchange_that_fails_leaves_the_old_folder(final: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "exchange", raising(OSError(errno.EIO, os.strerror(errno.EIO))))
    with pytest.raises(StorageError, match="cannot write"):
        build(final)
    assert contents(final.parent) == OLD


@pytest.mark.parametrize("done_first", [False, True], ids=["before", "after"])
def test_an_interrupt_around_the_exchange_leaves_one_whole_folder(
    done_first: bool, final: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(one: Path, other: Path) -> bool:
        if done_first:
            exchange(one, other)
        raise KeyboardInterrupt

    if not can_exchange(final.parent):
        pytest.skip("this file system has no exchange")
    monkeypatch.setattr(files, "exchange", interrupted)
    with pytest.raises(KeyboardInterrupt):
        build(final)
    assert contents(final.parent) == (NEW if done_first else OLD)


def test_at_no_moment_is_there_nothing(final: Path) -> None:
    """Where the file system has an exchange. Another thread looks all the time, while the folder is replaced."""
    if not can_exchange(final.parent):
        pytest.skip("this file system has no exchange")
    missing, done = 0, threading.Event()

    def look() -> None:
        nonlocal missing
        while not done.is_set():
            missing += not final.exists()

    looking = threading.Thread(target=look)
    looking.start()
    for _ in range(30):
        build(final)
    done.set()
    looking.join()
    assert missing == 0


@pytest.mark.parametrize("number", ERRNOS)
@pytest.mark.parametrize(("owner", "step"), FOLDER_STEPS)
def test_a_disk_that_fails_at_any_step_leaves_the_old_folder(
    owner: Any, step: str, number: int, final: Path, monkeypatch: pytest.MonkeyPatch, without_exchange: None
) -> None:
    monkeypatch.setattr(owner, step, raising(OSError(number, os.strerror(number))))
    with pytest.raises(StorageError, match=f"cannot write .*final: {os.strerror(number)}"):
        build(final)
    assert contents(final.parent) == OLD


@pytest.mark.parametrize("done_first", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("rename", [1, 2])
def test_an_interrupt_around_a_rename_leaves_one_whole_folder(
    rename: int, done_first: bool, final: Path, monkeypatch: pytest.MonkeyPatch, without_exchange: None
) -> None:
    real, calls = Path.rename, 0

    def interrupted(path: Path, target: Path) -> Path:
        nonlocal calls
        calls += 1
        if calls != rename:
            return real(path, target)
        if done_first:
            real(path, target)
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        build(final)
    assert contents(final.parent) == (NEW if (rename, done_first) == (2, True) else OLD)


def test_all_that_was_built_is_on_the_disk_before_it_counts(final: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []
    real_open, real_rename = os.open, Path.rename

    def noted_open(path: Any, *arguments: Any, **named: Any) -> int:
        steps.append(Path(path).name)
        return real_open(path, *arguments, **named)

    def noted_rename(path: Path, target: Path) -> Path:
        steps.append("rename")
        return real_rename(path, target)

    def noted_exchange(one: Path, other: Path) -> bool:
        steps.append("rename")
        return exchange(one, other)

    monkeypatch.setattr(os, "open", noted_open)
    monkeypatch.setattr(Path, "rename", noted_rename)
    monkeypatch.setattr(files, "exchange", noted_exchange)
    build(final)
    assert {"model", MARKER, "below"} <= set(steps[: steps.index("rename")])
    assert steps[steps.index("rename") + 1] == final.parent.name  # the renaming itself


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    """A rename would put a file in the place of /dev/null."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_atomic(pipe, "content")
        assert os.read(reader, 100) == b"content"
    finally:
        os.close(reader)
    assert pipe.is_fifo() and list(tmp_path.iterdir()) == [pipe]


def test_each_new_folder_is_synced_in_its_parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[Path] = []
    monkeypatch.setattr(files, "sync", synced.append)
    make_folder(tmp_path / "a" / "b")
    make_folder(tmp_path / "a" / "b")
    assert set(synced) == {tmp_path, tmp_path / "a"} and (tmp_path / "a" / "b").is_dir()

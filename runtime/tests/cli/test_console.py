"""Every error becomes a message on stderr and an exit code; a traceback is only for who asks for it."""

from __future__ import annotations

import errno
import io
import sys
from typing import Any

import click
import pytest

from edgener_runtime.cli.console import CommandGroup, write_line
from edgener_runtime.errors import BundleError, EdgenerError, StorageError, UserInputError

pytestmark = pytest.mark.compat


def ending(error: BaseException | None, *options: str) -> int:
    """The exit code of a group whose command raises `error`."""

    @click.group(cls=CommandGroup)
    def group() -> None:
        """A group."""

    @group.command()
    def work() -> None:
        if error:
            raise error

    with pytest.raises(SystemExit) as ended:
        group.main([*options, "work"], prog_name="tool")
    return int(ended.value.code or 0)


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (None, 0, ""),
        (UserInputError("no orders.txt", "Name another."), 2, "error: no orders.txt\n  Name another.\n"),
        (BundleError("changed"), 5, "error: changed\n"),
        (EdgenerError("a fault"), 1, "error: a fault\n"),
        (StorageError("full"), 1, "error: full\n"),
        (MemoryError(), 6, "error: there is not enough memory left\n  Free some memory"),
        (KeyboardInterrupt(), 130, "error: interrupted; nothing half-written was left behind\n"),
        (click.Abort(), 130, "error: interrupted; nothing half-written was left behind\n"),
        (BrokenPipeError(), 0, ""),
        (ZeroDivisionError("by zero"), 1, "error: internal error: ZeroDivisionError: by zero\n  Run again with"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)  # fmt: skip
def test_an_error_is_a_message_and_an_exit_code(
    error: BaseException | None, code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ending(error) == code
    written = capsys.readouterr()
    assert written.out == ""
    assert written.err.startswith(message) and "Traceback" not in written.err
    assert bool(written.err) == bool(message)


@pytest.mark.parametrize("error", [BundleError("changed"), ZeroDivisionError("by zero")])
def test_debug_lets_the_traceback_through(error: Exception) -> None:
    with pytest.raises(type(error)):
        ending(error, "--debug")


def test_a_wrong_option_is_reported_by_click(capsys: pytest.CaptureFixture[str]) -> None:
    assert ending(None, "--colour") == 2
    assert "No such option" in capsys.readouterr().err


# --- lines of results


class Full(io.RawIOBase):
    """A file whose disk has no room."""

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_line_is_utf_8_whatever_the_locale(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="ascii"))
    write_line('"泵 🔧 \ud800"')
    assert written.getvalue() == '"泵 🔧 \\ud800"\n'.encode()


def test_a_full_disk_behind_stdout_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BufferedWriter(Full(), 1)))
    with pytest.raises(StorageError, match="cannot write to stdout: No space left on device"):
        write_line("x" * 100)

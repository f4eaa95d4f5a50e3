"""Faults of the disk and of the process under `pull`, in a child: every change of the disk is a numbered step.

Python announces each change to its audit hooks, those of python-tuf and of the standard library too; a hook that
raises prevents it. Hooks stay until the process ends, hence the child.
"""

from __future__ import annotations

import errno
import os
import resource
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from edgener_runtime.errors import EdgenerError, StorageError

DONE, FULL, REFUSED, BROKEN = 0, 10, 11, 12
"""How a child ended: nothing was wrong; by a StorageError; by another error of ours; by anything else."""
KILLED = -signal.SIGKILL
Step = Callable[[int, bool], None]
"""Called before each change, with its number and whether it needs space."""
_NEEDS_SPACE = {"os.mkdir", "os.rename", "os.link", "os.symlink"}
_CHANGES = {*_NEEDS_SPACE, "os.remove", "os.rmdir", "os.truncate"}


def full(first: int) -> Step:
    """A disk that is full from one change on: nothing can be made on it, and all can be removed."""

    def step(number: int, needs_space: bool) -> None:
        if number >= first and needs_space:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    return step


def killed(at: int) -> Step:
    """A process that is killed before one change."""

    def step(number: int, needs_space: bool) -> None:
        if number == at:
            os.kill(os.getpid(), signal.SIGKILL)

    return step


def run(act: Callable[[], object], step: Step, log: Path, largest: int | None = None) -> int:
    """How `act` ended in a child; `log` gets the number of its changes, or the traceback of what is not ours.

    No file can become larger than `largest` bytes: what is longer is written in part, as on a full disk.
    """
    child = os.fork()
    if not child:
        os._exit(_in_child(act, step, log, largest))
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _in_child(act: Callable[[], object], step: Step, log: Path, largest: int | None) -> int:
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        count = _watch(step)
        if largest is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
        act()
        os.write(descriptor, b"%d" % count[0])
    except StorageError:
        return FULL
    except EdgenerError:
        return REFUSED
    except BaseException:  # noqa: BLE001 - nothing of pytest's may run in the child
        os.write(descriptor, traceback.format_exc().encode()[-3000:])
        return BROKEN
    return DONE


def _watch(step: Step) -> list[int]:
    """Call `step` before each change from now on; the number of changes so far."""
    count = [0]
    sys.dont_write_bytecode = True

    def change(needs_space: bool) -> None:
        count[0] += 1
        step(count[0] - 1, needs_space)

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event == "open" and isinstance(flags := arguments[2], int):
            if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
                change(bool(flags & os.O_CREAT))
        elif event in _CHANGES:
            change(event in _NEEDS_SPACE)

    def fsync(descriptor: int) -> None:
        change(True)  # a disk may find only now that what it took does not fit

    os.fsync = fsync  # type: ignore[assignment]
    sys.addaudithook(hook)
    return count

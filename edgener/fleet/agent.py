"""What stands on a device during a visit: a temporary folder and one command at a time, both gone when the visit ends.

`remote.py` sends this file over SSH as text and any Python from 3.10 on runs it there, so it imports nothing of ours.
It is asked by lines of JSON on stdin and answers by lines of JSON on stdout; the bytes of a file follow their line. Its
stdin ends with the connection, whatever broke that, and then everything it started or wrote is removed.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

Ask = dict[str, Any]

PREFIX = "edgener-visit-"
PIECE = 1 << 20  # bytes of a file that are held at once
LONGEST = 4000  # characters of a line that are told
GRACE = 20.0  # seconds to end in once asked to stop
SILENCE = 120.0  # seconds after which nobody is there any more: a connection may die without an end
_PR_SET_CHILD_SUBREAPER = 36


def tell(told: IO[bytes], content: bytes = b"", **answer: Any) -> None:
    """One answer, with the bytes that follow it; lost where nobody listens any more."""
    with contextlib.suppress(OSError):
        told.write(json.dumps(answer).encode() + b"\n" + content)
        told.flush()


class Guard:
    """The folder, the command that is running, and the two ends of the conversation."""

    def __init__(self, below: str | None, asked: IO[bytes], told: IO[bytes]) -> None:
        self.asked, self._told, self._lock = asked, told, threading.Lock()
        self.running: subprocess.Popen[bytes] | None = None
        self._heard = time.monotonic()
        self.folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=below and os.path.expanduser(below)))  # noqa: PTH111

    def tell(self, content: bytes = b"", **answer: Any) -> None:
        """One answer, whole, whichever thread it comes from."""
        with self._lock:
            tell(self._told, content, **answer)

    def put(self, ask: Ask) -> None:
        """Write a file below the folder."""
        path = self.folder / ask["path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            for piece in self._pieces(ask["size"]):
                file.write(piece)
        self.tell(put=ask["path"])

    def get(self, ask: Ask) -> None:
        """Tell a file's size and bytes, or no size where there is none."""
        path = self.folder / ask["path"]
        content = path.read_bytes() if path.is_file() else None
        self.tell(content or b"", size=None if content is None else len(content))

    def run(self, ask: Ask) -> None:
        """Start a command in the folder; what it says on stderr is told line by line, and then how it ended."""
        process = subprocess.Popen(
            ask["command"], cwd=self.folder, env={**os.environ, **ask["environment"]}, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        self.running = process
        self.tell(started=process.pid)
        threading.Thread(target=self._follow, args=(process,), daemon=True).start()

    def stop(self, ask: Ask) -> None:
        """Ask the command to stop, and make it stop where it does not."""
        if self.running and self.running.poll() is None:
            self.running.send_signal(signal.SIGINT)
            timer = threading.Timer(GRACE, self._kill)
            timer.daemon = True
            timer.start()

    def listen(self) -> Iterator[Ask]:
        """What is asked, until nobody asks any more."""
        threading.Thread(target=self._watch, daemon=True).start()
        for line in iter(self.asked.readline, b""):
            self._heard = time.monotonic()
            yield json.loads(line)

    def _watch(self) -> None:
        """Leave where nothing was heard for long."""
        while time.monotonic() - self._heard < SILENCE:
            time.sleep(min(SILENCE / 10, 5))
        self._clear()
        os._exit(1)  # without a word: writing may wait for ever, too

    def leave(self) -> None:
        """End what still runs, and remove the folder."""
        self._clear()
        self.tell(nothing_left=not self.folder.exists())

    def _clear(self) -> None:
        self._kill()
        _kill_orphans()
        for _ in range(3):  # a process that is being killed may still write
            shutil.rmtree(self.folder, ignore_errors=True)

    def _follow(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stderr
        reaper = threading.Thread(target=_reap, args=(process,), daemon=True)
        reaper.start()
        for line in process.stderr:
            self.tell(line=line.decode("utf-8", "replace").rstrip()[:LONGEST])
        reaper.join()  # before the next command, which it would take for one of this one's
        self.tell(ended=process.returncode)

    def _kill(self) -> None:
        if self.running and self.running.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.running.pid, signal.SIGKILL)
            self.running.wait()

    def _pieces(self, size: int) -> Iterator[bytes]:
        while size:
            piece = self.asked.read(min(size, PIECE))
            if not piece:
                raise EOFError("the connection ended in the middle of a file")
            self._heard = time.monotonic()
            size -= len(piece)
            yield piece


def serve(guard: Guard) -> None:
    """Do what is asked until nobody asks any more."""
    do: dict[str, Callable[[Ask], None]] = {
        "put": guard.put, "get": guard.get, "run": guard.run, "stop": guard.stop, "stay": lambda ask: None,
    }  # fmt: skip
    for ask in guard.listen():
        do[ask["do"]](ask)


def main(below: str | None = None) -> None:
    """Make the folder, tell of it, serve, and leave nothing; what goes wrong is told."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # what was started with it ignored would not heed a stop
    _on_signals(lambda *_: sys.exit(1))
    _adopt_orphans()
    told = sys.stdout.buffer
    guard = None
    try:
        guard = Guard(below, sys.stdin.buffer, told)
        guard.tell(folder=str(guard.folder), python=sys.executable)
        serve(guard)
    except (OSError, EOFError) as error:
        tell(told, fault=getattr(error, "strerror", None) or str(error), at=getattr(error, "filename", None))
    finally:
        _on_signals(signal.SIG_IGN)
        if guard:
            guard.leave()


def _on_signals(act: Any) -> None:
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, act)


def _adopt_orphans() -> None:
    """Have processes whose parent died become ours, where the kernel can (Linux), so that we find them."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _reap(process: subprocess.Popen[bytes]) -> None:
    """What a command leaves running ends with it."""
    process.wait()
    _kill_orphans()


def _kill_orphans() -> None:
    """Kill every child there is until there is none; each may leave us its own."""
    while children := _children():
        for child in children:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(child, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(child, 0)


def _children() -> list[int]:
    try:
        return [int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]
    except OSError:  # no /proc, or a kernel that does not tell
        return []

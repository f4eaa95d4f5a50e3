"""The agent on a device during a session: it has a temporary folder and runs one command at a time.

`device_session.py` sends this file over SSH as text and any Python from 3.10 on runs it there, so it imports nothing of
ours. Requests are lines of JSON on stdin, answers lines of JSON on stdout; the bytes of a file follow their line. Stdin
ends with the connection, for whatever reason, and then the agent removes everything that it started or wrote.
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

Request = dict[str, Any]

PREFIX = "edgener-visit-"
PIECE = 1 << 20  # bytes of a file in memory at once
LONGEST = 4000  # characters of a line that are sent
GRACE = 20.0  # seconds to end after an interrupt
SILENCE = 120.0  # seconds without a request: the connection is dead, even without an end
_PR_SET_CHILD_SUBREAPER = 36
_WAKE = signal.SIGUSR1


def send(output: IO[bytes], content: bytes = b"", **answer: Any) -> None:
    """Write one answer, with the bytes that follow it; it is lost if the connection is gone."""
    with contextlib.suppress(OSError):
        output.write(json.dumps(answer).encode() + b"\n" + content)
        output.flush()


class Agent:
    """The folder, the running command, and the input and output of the agent."""

    def __init__(self, below: str | None, input: IO[bytes], output: IO[bytes]) -> None:
        self.input, self._output, self._lock = input, output, threading.Lock()
        self.running: subprocess.Popen[bytes] | None = None
        self._heard = time.monotonic()
        self.folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=below and os.path.expanduser(below)))  # noqa: PTH111

    def send(self, content: bytes = b"", **answer: Any) -> None:
        """Write one whole answer, from any thread."""
        with self._lock:
            send(self._output, content, **answer)

    def put(self, request: Request) -> None:
        """Write a file into the folder."""
        path = self.folder / request["path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            for piece in self._pieces(request["size"]):
                file.write(piece)
        self.send(put=request["path"])

    def get(self, request: Request) -> None:
        """Send a file's size and bytes, or null as the size if there is none."""
        path = self.folder / request["path"]
        content = path.read_bytes() if path.is_file() else None
        self.send(content or b"", size=None if content is None else len(content))

    def run(self, request: Request) -> None:
        """Start a command in the folder; send its stderr line by line, and then how it ended."""
        process = subprocess.Popen(
            request["command"], cwd=self.folder, env={**os.environ, **request["environment"]}, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        self.running = process
        self.send(started=process.pid)
        threading.Thread(target=self._follow, args=(process,), daemon=True).start()

    def stop(self, request: Request) -> None:
        """Interrupt the command, and kill it if it does not end."""
        if self.running and self.running.poll() is None:
            self.running.send_signal(signal.SIGINT)
            timer = threading.Timer(GRACE, self._kill)
            timer.daemon = True
            timer.start()

    def requests(self) -> Iterator[Request]:
        """The requests, until the connection ends."""
        threading.Thread(target=self._watch, daemon=True).start()
        for line in iter(self.input.readline, b""):
            self._heard = time.monotonic()
            yield json.loads(line)

    def _watch(self) -> None:
        """Leave after a long silence."""
        while time.monotonic() - self._heard < SILENCE:
            time.sleep(min(SILENCE / 10, 5))
            # a signal that came just before the main thread began to read is handled when another interrupts it
            signal.pthread_kill(threading.main_thread().ident or 0, _WAKE)
        self._clear()
        os._exit(1)  # without an answer: writing could block for ever

    def leave(self) -> None:
        """End the running command, and remove the folder."""
        self._clear()
        self.send(nothing_left=not self.folder.exists())

    def _clear(self) -> None:
        self._kill()
        _kill_orphans()
        for _ in range(3):  # a process that is being killed may still write
            shutil.rmtree(self.folder, ignore_errors=True)

    def _follow(self, process: subprocess.Popen[bytes]) -> None:
        reaper = threading.Thread(target=_reap, args=(process,), daemon=True)
        reaper.start()
        for line in process.stderr or ():
            self.send(line=line.decode("utf-8", "replace").rstrip()[:LONGEST])
        reaper.join()  # before the next command: it would take that for a child of this one
        self.send(ended=process.returncode)

    def _kill(self) -> None:
        if self.running and self.running.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.running.pid, signal.SIGKILL)
            self.running.wait()

    def _pieces(self, size: int) -> Iterator[bytes]:
        while size:
            piece = self.input.read(min(size, PIECE))
            if not piece:
                raise EOFError("the connection ended in the middle of a file")
            self._heard = time.monotonic()
            size -= len(piece)
            yield piece


def serve(agent: Agent) -> None:
    """Serve requests until the connection ends."""
    do: dict[str, Callable[[Request], None]] = {
        "put": agent.put, "get": agent.get, "run": agent.run, "stop": agent.stop, "stay": lambda request: None,
    }  # fmt: skip
    for request in agent.requests():
        do[request["do"]](request)


def main(below: str | None = None) -> None:
    """Make the folder, send its path, serve, and leave nothing; send any fault."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # commands inherit this: they must react to an interrupt
    _on_signals(lambda *_: sys.exit(1))
    signal.signal(_WAKE, lambda *_: None)
    _adopt_orphans()
    output = sys.stdout.buffer
    agent = None
    try:
        agent = Agent(below, sys.stdin.buffer, output)
        agent.send(folder=str(agent.folder), python=sys.executable)
        serve(agent)
    except (OSError, EOFError) as error:
        send(output, fault=getattr(error, "strerror", None) or str(error), at=getattr(error, "filename", None))
    finally:
        _on_signals(signal.SIG_IGN)
        if agent:
            agent.leave()


def _on_signals(act: Any) -> None:
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, act)


def _adopt_orphans() -> None:
    """Adopt processes whose parent died, if the kernel can do that (Linux), to find them later."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _reap(process: subprocess.Popen[bytes]) -> None:
    """End what a command leaves running."""
    process.wait()
    _kill_orphans()


def _kill_orphans() -> None:
    """Kill all children until there is none; each may leave us its own."""
    while children := _children():
        for child in children:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(child, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(child, 0)


def _children() -> list[int]:
    try:
        return [int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]
    except OSError:  # no /proc, or a kernel without this file
        return []

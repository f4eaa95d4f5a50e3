"""A child process for one job, which reports events in lines; if it crashes or is killed, this process goes on."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any

from edgener_runtime.errors import DeviceError

Event = dict[str, Any]
"""A line of JSON from the process; `event` says which."""
Follow = Callable[[Event], None]

GRACE = 10.0  # seconds to end in once the result is not needed any more
_TAIL = 4000  # characters of stderr that are reported


@dataclass(frozen=True)
class Ended:
    """How a process ended: its exit code, or minus the signal's number, and the end of its stderr."""

    code: int
    stderr: str


def python_command(module: str) -> tuple[str, ...]:
    """The command that runs `main` of one of our modules and ends with the exit code that it returns."""
    # not -m: it looks for modules in the current folder, and a file there must not be run
    code = f"import sys; sys.path[:] = filter(None, sys.path)\nfrom {module} import main\nsys.exit(main())"
    return sys.executable, "-c", code


def run_process(
    command: Sequence[str],
    job: str,
    follow: Follow,
    grace: float = GRACE,
    environment: Mapping[str, str] | None = None,
) -> Ended:
    """Give a process its job as one line of stdin, and pass each line of JSON on its stdout to `follow`.

    Its stdin stays open while the result is needed; when it is closed, as when this process dies, the child stops. An
    exception here, Ctrl-C too, ends the child, after `grace` seconds by force.
    """
    with ChildProcess(command, grace, environment) as process:
        process.give(job)
        for event in process.events():
            follow(event)
        return process.ended()


class ChildProcess:
    """A process that gets jobs as lines of stdin and answers with lines of JSON; a context manager that ends it.

    At the end of the block it may end by itself; after an exception, Ctrl-C too, it has `grace` seconds for that.
    Raises DeviceError where it cannot be started.
    """

    def __init__(self, command: Sequence[str], grace: float, environment: Mapping[str, str] | None = None) -> None:
        self._grace = grace
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - closed in __exit__
        self._process = _start(command, self._stderr, environment)

    def __enter__(self) -> ChildProcess:
        return self

    def __exit__(self, kind: object, *exception: object) -> None:
        try:
            if kind is not None:
                _end(self._process, self._grace)
        finally:
            _close(self._process)
            self._stderr.close()

    def give(self, job: str) -> None:
        """Write a job, a line without its end."""
        _give(self._process, job)

    def events(self) -> Iterator[Event]:
        """What it reports, until it ends."""
        for line in self._process.stdout or ():
            if line.endswith("\n"):  # otherwise it died in the middle of a line
                yield json.loads(line)

    def ended(self) -> Ended:
        """How it ended, which is awaited."""
        return Ended(self._process.wait(), _tail(self._stderr))

    def kill(self) -> None:
        """End it at once; from another thread too."""
        self._process.kill()


def _start(command: Sequence[str], stderr: IO[bytes], environment: Mapping[str, str] | None) -> subprocess.Popen[str]:
    """In a session of its own, so that Ctrl-C in the terminal reaches only this process."""
    try:
        return subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, encoding="utf-8",
            start_new_session=True, env=environment,
        )  # fmt: skip
    except OSError as error:
        raise DeviceError(f"cannot start {command[0]}: {error.strerror}", "Free some memory, and try again.") from None


def _give(process: subprocess.Popen[str], job: str) -> None:
    if process.stdin is None:
        raise ValueError("its stdin is closed: it was asked to stop")
    with contextlib.suppress(BrokenPipeError):  # it died at once, which its exit code reports
        process.stdin.write(job + "\n")
        process.stdin.flush()


def _end(process: subprocess.Popen[str], grace: float) -> None:
    """Close its stdin, which asks it to stop, and wait; its output is still read, so that it is not blocked."""
    try:
        if process.stdin:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()
            process.stdin = None
        process.communicate(timeout=grace)
    except subprocess.TimeoutExpired:
        pass
    finally:
        process.kill()
        process.wait()


def _close(process: subprocess.Popen[str]) -> None:
    for stream in (process.stdin, process.stdout):
        if stream:
            with contextlib.suppress(BrokenPipeError):
                stream.close()


def _tail(stderr: IO[bytes]) -> str:
    stderr.seek(0)
    return stderr.read().decode("utf-8", "replace")[-_TAIL:].strip()


def events() -> Follow:
    """Use this process's stdout for events, and send what native code prints there to stderr."""
    channel = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def report(event: Event) -> None:
        channel.write(json.dumps(event) + "\n")

    return report

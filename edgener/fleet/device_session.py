"""A session with a device: the requests to `agent.py` there, and its answers."""

from __future__ import annotations

import asyncio
import json
import shlex
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import resources
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from edgener_runtime.errors import DeviceError

from .hosts import Host
from .ssh import broken, connected

if TYPE_CHECKING:
    from asyncssh import SSHClientConnection, SSHClientProcess

Answer = dict[str, Any]

_PIECE = 1 << 18  # bytes
_CLOSE_SECONDS = 2.0  # seconds
_HEARTBEAT = 20.0  # seconds between signs of life; see SILENCE of agent.py
_START = 60.0  # seconds for a Python to start there
_LEAVE = 30.0  # seconds to end and remove everything


class LostError(DeviceError):
    """The connection or the agent was lost in the middle of a session."""


class DeviceSession:
    """The temporary folder and the commands on one device, for the lifetime of the connection."""

    def __init__(self, host: Host, process: SSHClientProcess[bytes], hello: Answer) -> None:
        self._host, self._process = host, process
        self.folder: str = hello["folder"]
        self.python: str = hello["python"]
        self.started: int | None = None  # the running command's process
        self._sending = asyncio.Lock()  # a file's bytes must follow its header immediately
        self._staying = asyncio.create_task(self._stay())

    async def put(self, path: str, source: Path) -> None:
        """Copy a file into the folder. Raises DeviceError if it does not fit."""
        with source.open("rb") as file, suppress(*broken()):  # a device that fails says why, below
            await self._send(file, {"do": "put", "path": path, "size": source.stat().st_size})
        await self._answer("put")

    async def get(self, path: str) -> bytes | None:
        """A file in the folder, or None if there is none."""
        await self._ask(do="get", path=path)
        size = (await self._answer("size"))["size"]
        try:
            return None if size is None else await self._process.stdout.readexactly(size)
        except broken():
            raise await self._lost() from None

    async def run(self, command: Sequence[str], environment: dict[str, str], report: Callable[[str], None]) -> int:
        """Run a command to its end, each line of its stderr to `report`; its exit code, or minus a signal's number."""
        await self._ask(do="run", command=command, environment=environment)
        self.started = (await self._answer("started"))["started"]
        return await self._end(report)

    async def stop(self, report: Callable[[str], None]) -> None:
        """Interrupt the running command, as by Ctrl-C, and wait for it."""
        if self.started is not None:
            await self._ask(do="stop")
            await self._end(report)

    async def leave(self) -> bool:
        """End everything there; returns whether nothing is left."""
        self._staying.cancel()
        with suppress(*broken()):
            self._process.stdin.write_eof()  # the agent notices this even in the middle of a file
        while "nothing_left" not in (answer := await self._read()):
            pass
        return bool(answer["nothing_left"])

    async def _end(self, report: Callable[[str], None]) -> int:
        while True:
            answer = await self._answer("line", "ended")
            if "ended" in answer:
                self.started = None
                return int(answer["ended"])
            report(answer["line"])

    async def _stay(self) -> None:
        """Send the agent signs of life."""
        while True:
            await asyncio.sleep(_HEARTBEAT)
            await self._ask(do="stay")

    async def _send(self, file: IO[bytes], header: Answer) -> None:
        async with self._sending:
            self._process.stdin.write(json.dumps(header).encode() + b"\n")
            while piece := file.read(_PIECE):
                self._process.stdin.write(piece)
                await self._process.stdin.drain()

    async def _ask(self, **ask: Any) -> None:
        with suppress(*broken()):  # the missing answer gives the reason
            async with self._sending:
                self._process.stdin.write(json.dumps(ask).encode() + b"\n")
                await self._process.stdin.drain()

    async def _answer(self, *keys: str) -> Answer:
        """The next answer with one of these keys; skips lines of a command that is being stopped."""
        while True:
            answer = await self._read()
            if "fault" in answer:
                at = f" ({answer['at']})" if answer.get("at") else ""
                raise DeviceError(f"{self._host.address} failed: {answer['fault']}{at}", _hint(answer["fault"]))
            if any(key in answer for key in keys):
                return answer

    async def _read(self) -> Answer:
        try:
            return dict(json.loads(await self._process.stdout.readuntil(b"\n")))
        except broken():
            raise await self._lost() from None

    async def _lost(self) -> LostError:
        with suppress(*broken()):  # how it ended comes after its last output
            await asyncio.wait_for(self._process.wait_closed(), _CLOSE_SECONDS)
        signal = self._process.exit_signal
        ended = f"Python there was ended by {signal[0]}" if signal else "the connection was lost"
        return LostError(
            f"{self._host.address}: {ended}", "Check that the device stays up, and run the benchmark again."
        )


async def start_session(host: Host, connection: SSHClientConnection) -> DeviceSession:
    """Start the agent. Raises DeviceError if there is no Python for it, or it cannot make a folder."""
    source = _agent()
    below = shlex.quote(host.folder) if host.folder else ""
    start = f"import sys; exec(sys.stdin.buffer.read({len(source)})); main(*sys.argv[1:])"
    try:
        process = await connection.create_process(
            f"{_home(host.python)} -B -c {shlex.quote(start)} {below}", encoding=None
        )
        hello = await asyncio.wait_for(_hello(process, source), _START)
    except TimeoutError:
        raise DeviceError(f"{host.python} on {host.address} did not start within {_START:.0f} s") from None
    except broken() as error:
        raise LostError(f"{host.address} runs no command: {error}", f"Try: ssh {host.target} true") from None
    if "fault" in hello:
        raise DeviceError(
            f"{host.address} cannot make a folder: {hello['fault']} ({hello['at']})",
            "Name another: `folder` in hosts.yaml.",
        )
    if not hello:
        raise await _no_python(host, process)
    return DeviceSession(host, process, hello)


def _agent() -> bytes:
    return resources.files(__package__).joinpath("agent.py").read_bytes()


async def _hello(process: SSHClientProcess[bytes], source: bytes) -> Answer:
    """The agent's first answer; skips output of the login. Empty if there is none."""
    with suppress(*broken()):  # no Python, which is reported below
        process.stdin.write(source)
    while line := await process.stdout.readline():
        with suppress(ValueError):
            answer = json.loads(line)
            if isinstance(answer, dict) and ("folder" in answer or "fault" in answer):
                return answer
    return {}


async def _no_python(host: Host, process: SSHClientProcess[bytes]) -> DeviceError:
    output = (await process.stderr.read()).decode("utf-8", "replace").strip().splitlines()
    return DeviceError(
        f"{host.python} does not run on {host.address}: {output[-1][:200] if output else 'no answer'}",
        "Name a Python of 3.10 or newer there: `python` in hosts.yaml.",
    )


def _home(path: str) -> str:
    """A path for a shell, with ~ as the home there."""
    return f'"$HOME"/{shlex.quote(path[2:])}' if path.startswith("~/") else shlex.quote(path)


def _hint(fault: str) -> str:
    return "Check that the disk has room, or name another one: `folder` in hosts.yaml." if fault else ""


async def sweep(host: Host, folder: str, started: int | None) -> bool:
    """After a broken session: remove its folder over a new connection; returns whether that is certain."""
    quoted = shlex.quote(folder)
    kill = f'[ "$(readlink /proc/{started}/cwd)" = {quoted} ] && kill -9 -- -{started}; ' if started else ""
    command = f"{kill}rm -rf -- {quoted}; sleep 1; rm -rf -- {quoted}; test ! -e {quoted}"
    try:
        async with asyncio.timeout(_LEAVE), connected(host) as connection:
            done = await connection.run(f"sh -c {shlex.quote(command)}")
            return done.exit_status == 0
    except DeviceError:
        return False
    except broken():  # also after a timeout
        return False

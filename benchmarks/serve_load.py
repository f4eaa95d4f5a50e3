"""How many requests a second does `edgener-runtime serve` answer, how fast, and does a restart under load lose any?

    python benchmarks/serve_load.py BUNDLE --data SOURCE --out FILE.json

Clients on the loopback interface ask for one sentence after the other, each on its own connection. In the middle the
server gets SIGTERM and is started again on the same port, at the end it gets SIGTERM once more, while the clients go on
asking. Then one client asks for as much at once as the server accepts, beside the others, which should hardly notice.
The exit code is 1 where a request that a server accepted was not answered, an answer was an error, or the p99 of the
short requests was more than five times that without the long ones.
"""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import json
import os
import platform
import re
import signal
import statistics
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from edgener.cli.options import data_options
from edgener.data.read import SPLITS, DataSpec, read_split
from edgener_runtime import __version__
from edgener_runtime.base.files import write_atomic
from edgener_runtime.machine.cpu import cpu_model, isa, usable_cores

HOST = "127.0.0.1"
PAUSE = 0.02  # seconds before a client that was refused tries again
LONG_TEXT, LONG_TEXTS = 20_000, 52  # characters of a text, and texts: what a server takes at most by default
TURNS = 3  # with and without it, as what else the machine does changes
MOST_RATIO = 5  # p99 of short requests beside a long one to that without
SERVE = [sys.executable, "-c", "from edgener_runtime.cli.main import main; main()", "serve"]
LISTENING = re.compile(r"listening on http://[0-9.]+:(\d+) with (.+)")
STOPPED = re.compile(r"stopped: (\d+) requests accepted, (\d+) answered")


@dataclass
class Tally:
    """What became of the requests: seconds of those answered, statuses, and those that never got an answer."""

    seconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    broken_off: int = 0  # sent, and the connection ended without an answer
    refused: int = 0  # connections, while no server listened

    def add(self, other: Tally) -> None:
        """Count what another one counted."""
        self.seconds += other.seconds
        self.statuses += other.statuses
        self.broken_off += other.broken_off

    @property
    def errors(self) -> int:
        """Answers with another status than 200, and requests without an answer."""
        return self.statuses.total() - self.statuses[200] + self.broken_off


@dataclass(frozen=True)
class Stop:
    """A server's end: what it says it accepted and answered, seconds from the signal to it, and its exit code."""

    accepted: int
    answered: int
    seconds: float
    exit_code: int


class Server:
    """The server process, and what it says it runs."""

    def __init__(self, process: asyncio.subprocess.Process, port: int, serves: str) -> None:
        self.process = process
        self.port = port
        self.serves = serves

    @classmethod
    async def start(cls, bundle: Path, variant: str, port: int = 0) -> Server:
        """Start one and wait until it listens. Raises ClickException where it does not."""
        process = await asyncio.create_subprocess_exec(
            *SERVE, bundle, "--variant", variant, "--port", str(port), stderr=asyncio.subprocess.PIPE
        )
        assert process.stderr
        said = []
        async for line in process.stderr:
            said.append(line.decode())
            if found := LISTENING.search(said[-1]):
                return cls(process, int(found[1]), found[2])
        raise click.ClickException(f"the server did not start:\n{''.join(said)}")

    async def stop(self) -> Stop:
        """SIGTERM, and what it says at its end."""
        began = time.perf_counter()
        self.process.send_signal(signal.SIGTERM)
        assert self.process.stderr
        said = (await self.process.stderr.read()).decode()
        code = await self.process.wait()
        found = STOPPED.search(said)
        if not found:
            raise click.ClickException(f"the server ended with exit code {code}:\n{said}")
        return Stop(int(found[1]), int(found[2]), time.perf_counter() - began, code)


class Clients:
    """As many clients as connections, which ask until told to end."""

    def __init__(self, port: int, connections: int, texts: Sequence[str]) -> None:
        self.port = port
        self.tally = Tally()
        self.ended = False
        self._requests = itertools.cycle([_request({"text": text}) for text in texts])
        self._tasks = [asyncio.create_task(self._ask()) for _ in range(connections)]

    async def end(self) -> None:
        """Let each end with the answer it waits for."""
        self.ended = True
        await asyncio.gather(*self._tasks)

    async def _ask(self) -> None:
        while not self.ended:
            try:
                reader, writer = await asyncio.open_connection(HOST, self.port)
            except OSError:
                self.tally.refused += 1
                await asyncio.sleep(PAUSE)
                continue
            try:
                await self._ask_on(reader, writer)
            except (OSError, asyncio.IncompleteReadError):
                self.tally.broken_off += 1
            writer.close()

    async def _ask_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request after the other, until the server closes the connection."""
        stays = True
        while stays and not self.ended:
            began = time.perf_counter()
            writer.write(next(self._requests))
            status, stays = await _answer(reader)
            self.tally.statuses[status] += 1
            self.tally.seconds.append(time.perf_counter() - began)


class LongClient:
    """One client that asks for as many long texts at once as the server accepts, until told to end."""

    def __init__(self, port: int, texts: Sequence[str]) -> None:
        self.port = port
        self.texts = texts
        self.tally = Tally()
        self.ended = False
        self.answered = asyncio.Event()
        self._task = asyncio.create_task(self._ask())

    async def end(self) -> None:
        """Let it end with the answer it waits for."""
        self.ended = True
        await self._task

    async def _ask(self) -> None:
        while not self.ended:
            reader, writer = await asyncio.open_connection(HOST, self.port)
            began = time.perf_counter()
            writer.write(_request({"texts": self.texts}))
            status, _ = await _answer(reader)
            writer.close()
            if status == 413 and len(self.texts) > 1:  # more than this machine answers in time
                self.texts = self.texts[: len(self.texts) * 3 // 4]
                continue
            self.tally.statuses[status] += 1
            self.tally.seconds.append(time.perf_counter() - began)
            self.answered.set()


def _request(record: dict[str, Any]) -> bytes:
    body = json.dumps(record).encode()
    head = f"POST /predict HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    return head.encode() + b"\r\n\r\n" + body


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bool]:
    """Status of an answer that came whole, and whether its connection stays open."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    length = re.search(r"\r\ncontent-length: (\d+)\r\n", head)
    assert length, head
    await reader.readexactly(int(length[1]))
    return int(head.split(" ", 2)[1]), "\r\nconnection: close\r\n" not in head


async def measure(
    bundle: Path, variant: str, texts: Sequence[str], connections: int, seconds: float
) -> tuple[Tally, list[Stop], str]:
    """Ask for so many seconds, with a restart in the middle: what became of it, and what was served."""
    server = await Server.start(bundle, variant)
    try:
        clients = Clients(server.port, connections, texts)
        await asyncio.sleep(seconds / 2)
        stops = [await server.stop()]
        server = await Server.start(bundle, variant, server.port)
        await asyncio.sleep(seconds / 2)
        stops.append(await server.stop())
        await clients.end()
    finally:
        if server.process.returncode is None:
            server.process.kill()
    return clients.tally, stops, server.serves


async def measure_beside_long(
    bundle: Path, variant: str, texts: Sequence[str], connections: int, seconds: float
) -> dict[str, Any]:
    """The p99 of short requests without and with a client beside them that asks for much at once."""
    server = await Server.start(bundle, variant)
    alone, beside, asked_long = Tally(), Tally(), Tally()
    joined = " ".join(texts)
    joined *= (LONG_TEXTS + LONG_TEXT) // len(joined) + 1
    long_texts: Sequence[str] = [joined[at : at + LONG_TEXT] for at in range(LONG_TEXTS)]
    try:
        for _ in range(TURNS):
            alone.add(await _ask_for(server.port, connections, texts, seconds / 2 / TURNS))
            long = LongClient(server.port, long_texts)
            beside.add(await _ask_for(server.port, connections, texts, seconds / 2 / TURNS, long.answered))
            await long.end()
            asked_long.add(long.tally)
            long_texts = long.texts
        await server.stop()
    finally:
        if server.process.returncode is None:
            server.process.kill()
    without, with_long = (
        statistics.quantiles(tally.seconds, n=100, method="inclusive")[98] for tally in (alone, beside)
    )
    return {
        "long_request": {"texts": len(long_texts), "characters": sum(map(len, long_texts))},
        "long_seconds": asked_long.seconds,
        "long_errors": {str(status): count for status, count in asked_long.statuses.items() if status != 200},
        "turns": TURNS,
        "short_requests": [len(alone.seconds), len(beside.seconds)],
        "short_errors": alone.errors + beside.errors,
        "p99_ms_without": 1000 * without,
        "p99_ms_with": 1000 * with_long,
        "ratio": with_long / without,
    }


async def _ask_for(
    port: int, connections: int, texts: Sequence[str], seconds: float, event: asyncio.Event | None = None
) -> Tally:
    """Ask for so many seconds, and until the event."""
    clients = Clients(port, connections, texts)
    await asyncio.sleep(seconds)
    if event:
        await event.wait()
    await clients.end()
    return clients.tally


def summary(tally: Tally, stops: Sequence[Stop], seconds: float) -> dict[str, Any]:
    """The figures: milliseconds of an answer, requests a second while a server listened, and what was lost."""
    cuts = statistics.quantiles(tally.seconds, n=100, method="inclusive")
    return {
        "requests": len(tally.seconds),
        "requests_per_second": len(tally.seconds) / seconds,
        "latency_ms": {
            name: 1000 * value
            for name, value in (("p50", cuts[49]), ("p95", cuts[94]), ("p99", cuts[98]), ("max", max(tally.seconds)))
        },
        "errors": {str(status): count for status, count in tally.statuses.items() if status != 200},
        "lost": sum(stop.accepted for stop in stops) - tally.statuses[200],
        "broken_off": tally.broken_off,
        "refused_while_away": tally.refused,
        "stops": [dataclasses.asdict(stop) for stop in stops],
    }


def is_broken(figures: dict[str, Any], beside: dict[str, Any]) -> bool:
    """Whether a request was lost or failed, or the long ones held up the short ones."""
    lost = figures["lost"] or figures["errors"] or figures["broken_off"]
    return bool(lost or beside["ratio"] > MOST_RATIO or beside["short_errors"] or beside["long_errors"])


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@data_options
@click.option("--split", type=click.Choice(SPLITS), default="test", show_default=True)
@click.option("--variant", default="auto", show_default=True, help="Variant of the bundle.")
@click.option("--connections", type=click.IntRange(1), default=64, show_default=True)
@click.option(
    "--seconds", type=click.FloatRange(1), default=60, show_default=True, help="Of load, without the restart."
)
@click.option("--out", required=True, type=click.Path(path_type=Path, dir_okay=False), help="Write the figures there.")
def main(bundle: Path, data: DataSpec, split: str, variant: str, connections: int, seconds: float, out: Path) -> None:
    """Load a server with requests and restart it in the middle."""
    texts = [sentence.text for sentence in read_split(data, split).sentences]
    busy = os.getloadavg()[0]  # what else the machine did, which the figures suffer from
    tally, stops, serves = asyncio.run(measure(bundle, variant, texts, connections, seconds))
    figures = summary(tally, stops, seconds)
    beside = asyncio.run(measure_beside_long(bundle, variant, texts, connections, seconds))
    record = {
        "machine": {
            "cpu": cpu_model(),
            "isa": isa(),
            "cores": usable_cores(),
            "python": platform.python_version(),
            "load_average_before": busy,
        },
        "edgener_runtime": __version__,
        "serves": serves,
        "connections": connections,
        "seconds": seconds,
        **figures,
        "beside_a_long_request": beside,
    }
    write_atomic(out, json.dumps(record, indent=2) + "\n")
    click.echo(json.dumps({**figures, "beside_a_long_request": beside}, indent=2))
    sys.exit(1 if is_broken(figures, beside) else 0)


if __name__ == "__main__":
    main()

"""Ten thousand connections in a row and a thousand at once, with and without TLS: all answered, and nothing is left."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgener_runtime.services.http.connections.bind import TlsFiles

from .running import Running, serving, wait_for

pytestmark = pytest.mark.timing

pytest.importorskip("uvicorn", reason="the extra serve is not installed")

ASK = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
MOST_MB = 10  # between the first thousand and the last, or the first burst and the second


@pytest.fixture(scope="module", params=["plain", "TLS"])
def own(request: pytest.FixtureRequest, bundle: Path) -> Iterator[tuple[Running, ssl.SSLContext | None]]:
    """A server, and what its clients trust."""
    if request.param == "plain":
        with serving(bundle, files=4096) as running:
            yield running, None
    else:
        files: TlsFiles = request.getfixturevalue("tls")
        options = ["--tls-certificate", files.certificate, "--tls-key", files.key, "--header-timeout", 300]
        with serving(bundle, *options, files=4096) as running:
            yield running, ssl.create_default_context(cafile=str(files.certificate))


def held(running: Running) -> tuple[float, int]:
    """MB of memory, and open files."""
    process = Path(f"/proc/{running.process.pid}")
    lines = (process / "status").read_text(encoding="utf-8").splitlines()
    memory = next(int(line.split()[1]) / 1000 for line in lines if line.startswith("VmRSS:"))
    return memory, sum(1 for _ in (process / "fd").iterdir())


def ask(running: Running, tls: ssl.SSLContext | None) -> None:
    """One request on a connection of its own."""
    with contextlib.ExitStack() as stack:
        connection = stack.enter_context(socket.create_connection(("127.0.0.1", running.port), timeout=60))
        if tls:
            connection = stack.enter_context(tls.wrap_socket(connection, server_hostname="127.0.0.1"))
        connection.sendall(ASK)
        answer = b""
        while part := connection.recv(1000):
            answer += part
    assert answer.startswith(b"HTTP/1.1 200 OK"), answer


async def ask_at_once(running: Running, tls: ssl.SSLContext | None, count: int) -> None:
    """So many clients that all connect before any of them asks, and then ask together."""
    settings: dict[str, Any] = {"ssl": tls, "ssl_handshake_timeout": 300} if tls else {}
    connected = await asyncio.gather(
        *[asyncio.open_connection("127.0.0.1", running.port, **settings) for _ in range(count)]
    )
    for _, writer in connected:
        writer.write(ASK)
    answers = await asyncio.gather(*[reader.read() for reader, _ in connected])
    for _, writer in connected:
        writer.close()
    assert all(answer.startswith(b"HTTP/1.1 200 OK") for answer in answers)


@pytest.mark.slow
def test_ten_thousand_connections_one_after_the_other_leave_nothing(
    own: tuple[Running, ssl.SSLContext | None],
) -> None:
    running, tls = own
    for number in range(10_000):
        ask(running, tls)
        if number == 999:
            memory, files = held(running)
    later, _ = held(running)
    assert later - memory < MOST_MB
    wait_for(lambda: held(running)[1] <= files, running)
    assert len("".join(running.log)) < 8000


def test_a_thousand_connections_at_once_are_answered_and_leave_nothing(
    own: tuple[Running, ssl.SSLContext | None],
) -> None:
    running, tls = own
    ask(running, tls)
    _, files = held(running)
    asyncio.run(ask_at_once(running, tls, 1000))
    memory, _ = held(running)
    asyncio.run(ask_at_once(running, tls, 1000))
    later, _ = held(running)
    assert later - memory < MOST_MB
    wait_for(lambda: held(running)[1] <= files, running)
    assert "Traceback" not in "".join(running.log)


def client_hello(tls: ssl.SSLContext) -> bytes:
    """The first bytes of a client."""
    sent = ssl.MemoryBIO()
    handshake = tls.wrap_bio(ssl.MemoryBIO(), sent, server_hostname="127.0.0.1")
    with contextlib.suppress(ssl.SSLWantReadError):
        handshake.do_handshake()
    return sent.read()


@pytest.mark.parametrize("share", [0, 0.5, 1], ids=["nothing", "half a ClientHello", "no more than a ClientHello"])
def test_handshakes_without_an_end_are_ended_and_hold_up_no_others(bundle: Path, tls: TlsFiles, share: float) -> None:
    trusted = ssl.create_default_context(cafile=str(tls.certificate))
    hello = client_hello(trusted)
    first = hello[: int(len(hello) * share)]
    options = ["--tls-certificate", tls.certificate, "--tls-key", tls.key, "--header-timeout", 2]
    with serving(bundle, *options, "--max-connections", 100, files=4096) as running, contextlib.ExitStack() as stack:
        ask(running, trusted)
        _, files = held(running)
        opened = []
        for _ in range(200):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", running.port), timeout=60))
            with contextlib.suppress(OSError):  # another one has taken its place
                connection.sendall(first)
            opened.append(connection)
        began = time.monotonic()
        ask(running, trusted)
        assert time.monotonic() - began < 30
        for connection in opened:
            with contextlib.suppress(ConnectionResetError):
                while connection.recv(10_000):
                    pass
        wait_for(lambda: held(running)[1] <= files, running)
        assert running.stop()[0] == 0
    assert "Traceback" not in "".join(running.log)
    assert len("".join(running.log)) < 8000

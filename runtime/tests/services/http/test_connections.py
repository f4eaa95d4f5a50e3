"""Connections that say nothing, too little or nonsense: they end in time, and others are answered meanwhile."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from .running import Running, serving, wait_for

pytestmark = pytest.mark.timing

pytest.importorskip("uvicorn", reason="the extra serve is not installed")
httpx = pytest.importorskip("httpx", reason="httpx is not installed")

POST = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
HEAD = POST + b"Content-Length: 100\r\n\r\n"


@contextlib.contextmanager
def connections(running: Running, count: int, first: bytes = b"") -> Iterator[list[socket.socket]]:
    """So many open connections, each with these bytes sent."""
    with contextlib.ExitStack() as stack:
        opened = []
        for _ in range(count):
            opened.append(stack.enter_context(socket.create_connection(("127.0.0.1", running.port), timeout=60)))
            if first:
                with contextlib.suppress(OSError):  # the server may have closed it already
                    opened[-1].sendall(first)
        yield opened


def said(connection: socket.socket) -> bytes:
    """All that the server sends until it closes the connection."""
    try:
        return connection.makefile("rb").read()
    except ConnectionResetError:
        return b""


def cpu_seconds(running: Running) -> float:
    fields = Path(f"/proc/{running.process.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


@pytest.mark.parametrize("first", [b"", b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: "], ids=["silent", "slow header"])
def test_more_idle_connections_than_files_take_neither_the_log_nor_the_processor_nor_the_probes(
    bundle: Path, first: bytes
) -> None:
    with serving(bundle, files=200) as own:
        began = cpu_seconds(own)
        with connections(own, 260, first):
            for path in ("healthz", "readyz", "readyz?deep=1"):
                assert httpx.get(f"{own.url}/{path}", timeout=60).status_code == 200
            answer = httpx.post(f"{own.url}/predict", json={"text": "oil leak"}, timeout=60)
            time.sleep(3)
        assert answer.status_code == 200
        used = cpu_seconds(own) - began
        code, log = own.stop()
    assert code == 0
    assert used < 2  # 58 % of a core before
    assert len(log) < 8000, log[:8000]
    assert "of 1024, as this process may open 200 files" in log
    assert re.search(r"\d+ more lines like this one in 10 s: \d+ connections: the one that waited", log)


def test_without_a_list_of_open_files_their_number_is_that_of_the_next(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A changed root may have no /dev/fd."""
    from edgener_runtime.services.http.connections import table

    listed = table._count_open_files()
    monkeypatch.setattr(table, "_OPEN_FILES", tmp_path / "none")
    assert abs(table._count_open_files() - listed) <= 8  # some files below the next may be closed


def test_where_all_connections_have_a_request_the_probes_have_some_of_their_own(bundle: Path) -> None:
    with serving(bundle, "--max-connections", 8) as own, connections(own, 8, HEAD):
        wait_for(lambda: httpx.post(f"{own.url}/predict", json={"text": "a"}).status_code == 503, own)
        refused = httpx.post(f"{own.url}/predict", json={"text": "oil leak"})
        assert refused.json()["error"] == "too many connections, all with a request"
        assert (refused.headers["Retry-After"], refused.headers["Connection"]) == ("1", "close")
        with connections(own, 24):  # more than there are for probes
            for path in ("healthz", "readyz", "v2/health/live", "v2/health/ready"):
                assert httpx.get(f"{own.url}/{path}", timeout=60).status_code == 200


def test_a_thousand_clients_at_once_and_then_a_thousand_in_a_row_are_answered(bundle: Path) -> None:
    with serving(bundle) as own:
        with connections(own, 1000, b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n") as all_at_once:
            assert all(said(connection).startswith(b"HTTP/1.1 200 OK") for connection in all_at_once)
        for _ in range(1000):
            with connections(own, 1, b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n") as (single,):
                assert said(single).startswith(b"HTTP/1.1 200 OK")


def test_a_header_a_pause_and_a_body_have_their_time(bundle: Path) -> None:
    with (
        serving(bundle, "--header-timeout", 0.5, "--idle-timeout", 1.5, "--body-rate", 1000) as own,
        connections(own, 1) as (silent,),
        connections(own, 1, b"GET / HT") as (slow,),
        connections(own, 1, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n") as (idle,),
        connections(own, 1, HEAD + b"{") as (dripping,),
    ):
        assert said(silent) == b""
        late = said(slow)
        assert late.startswith(b"HTTP/1.1 408 Request Timeout")
        assert json.loads(late.partition(b"\r\n\r\n")[2]) == {"error": "no complete header within 0.5 s"}
        assert said(idle).startswith(b"HTTP/1.1 200 OK")
        starved = said(dripping)
        assert starved.startswith(b"HTTP/1.1 408 Request Timeout")
        assert b"the body came with less than 1000 bytes per second in 5 s" in starved


def test_no_part_of_an_answer_waits_until_the_client_has_confirmed_the_one_before(server: Running) -> None:
    """A client confirms after 40 ms if it has nothing to send meanwhile."""
    seconds = []
    with httpx.Client() as client:
        for _ in range(50):
            began = time.monotonic()
            assert client.get(f"{server.url}/healthz").status_code == 200
            seconds.append(time.monotonic() - began)
    assert sorted(seconds)[10] < 0.03, seconds  # the kernel lets the first few confirm at once


@pytest.mark.parametrize(
    ("version", "count"), [(b"1.1", 1), (b"1.1", 3), (b"1.0", 1)], ids=["one", "several", "HTTP/1.0"]
)
def test_who_sends_no_more_still_gets_its_answers(server: Running, token: str, version: bytes, count: int) -> None:
    """As `nc -N` does, and programs that shut down their side after the request."""
    body = json.dumps({"texts": ["oil leak at the feed pump"] * 20}).encode()
    head = POST.replace(b"1.1", version) + b"Authorization: Bearer %s\r\nContent-Length: %d\r\n\r\n"
    with connections(server, 1, (head % (token.encode(), len(body)) + body) * count) as (connection,):
        connection.shutdown(socket.SHUT_WR)
        answers = said(connection)
    assert answers.count(b" 200 OK\r\n") == count, answers[:200]
    assert answers.count(b'{"results": [') == count
    assert (b" 100 Continue\r\n" in answers) == (version == b"1.1")  # one that has left answers it with a reset


def test_who_sends_no_more_in_the_middle_of_a_request_is_disconnected(server: Running, token: str) -> None:
    for part in (b"GET / HT", HEAD + b"{"):
        with connections(server, 1, part) as (connection,):
            connection.shutdown(socket.SHUT_WR)
            assert b" 200 OK" not in said(connection)
    assert "Traceback" not in "".join(server.log)


def test_who_does_not_read_its_answers_is_disconnected(bundle: Path) -> None:
    """Requests one behind the other, whose answers fill every buffer on the way."""
    with serving(bundle, "--idle-timeout", 0.5) as own, connections(own, 1) as (connection,):
        connection.settimeout(0.2)
        ended = False
        end = time.monotonic() + 60
        while not ended and time.monotonic() < end:
            try:
                connection.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 100)
            except TimeoutError:
                continue
            except OSError:
                ended = True
        assert ended


@pytest.mark.parametrize(
    ("request_line", "status", "words"),
    [
        (b"HELLO\r\n\r\n", 400, "illegal request line"),
        (b"GET / HTTP/1.1\r\n\r\n", 400, "Missing mandatory Host: header"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nbad header\r\n\r\n", 400, "illegal header line"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400, "bad Content-Length"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 70000, 431, "Receive buffer too long"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 501, "Only Transfer-Encoding: chunked"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400, "illegal request line"),
        (b"\r\n\r\n\r\n\x00\xff\r\n\r\n", 400, "no request line received"),
    ],
)
def test_malformed_http_has_an_answer_in_json(server: Running, request_line: bytes, status: int, words: str) -> None:
    with connections(server, 1, request_line) as (connection,):
        head, _, body = said(connection).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status), head
    assert b"content-type: application/json" in head.lower()
    assert b"connection: close" in head.lower()
    record = json.loads(body)
    assert record["error"].startswith(f"malformed HTTP: {words}"), record
    assert record["hint"]
    assert httpx.get(f"{server.url}/healthz").status_code == 200


def test_a_chunk_that_is_none_ends_the_connection_and_no_more(server: Running, token: str) -> None:
    head = POST + f"Authorization: Bearer {token}\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n".encode()
    for rest in (b"hello!!\r\nzz", b"hello\r\nzz\r\n"):
        with connections(server, 1, head + rest) as (connection,):
            assert said(connection).startswith(b"HTTP/1.1 400 Bad Request")
    assert httpx.get(f"{server.url}/healthz").status_code == 200
    assert "Traceback" not in "".join(server.log)


def test_a_body_with_two_lengths_hides_no_second_request(server: Running, token: str) -> None:
    """A proxy that counts bytes would pass the second request on as the body of the first one."""
    hidden = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    body = b"0\r\n\r\n" + hidden
    for lengths in (
        b"Content-Length: %d\r\nTransfer-Encoding: chunked" % len(body),
        b"Transfer-Encoding: chunked\r\nContent-Length: %d" % len(body),
    ):
        head = POST + b"Authorization: Bearer " + token.encode() + b"\r\n" + lengths + b"\r\n\r\n"
        with connections(server, 1, head + body) as (connection,):
            answers = said(connection)
        assert answers.startswith(b"HTTP/1.1 400 Bad Request")
        assert b"both Content-Length and Transfer-Encoding" in answers
        assert b"connection: close" in answers.lower()
        assert answers.count(b"HTTP/1.1 ") == 1, answers


def test_a_request_for_another_protocol_is_answered_and_no_other_package_recommended(server: Running) -> None:
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket"}
    assert httpx.get(f"{server.url}/healthz", headers=upgrade).json() == {"status": "live"}
    wait_for(lambda: any("another protocol" in line for line in server.log), server)
    assert "pip install" not in "".join(server.log)


@pytest.mark.parametrize("path", ["/predict/", "/healthz/", "/v2/", "/nothing"])
def test_a_path_with_a_slash_too_many_is_not_found_and_not_redirected(server: Running, token: str, path: str) -> None:
    answer = httpx.post(f"{server.url}{path}", json={"text": "a"}, headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 404
    assert answer.json() == {"error": "not found", "hint": "See /openapi.json for the paths."}

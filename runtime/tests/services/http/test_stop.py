"""How a server process ends: nothing that it accepted goes unanswered."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgener_runtime.services.http.limits import ConnectionLimits, Limits

from .running import SECONDS, Held, Running, serving, wait_until

pytestmark = pytest.mark.timing

uvicorn = pytest.importorskip("uvicorn", reason="the extra serve is not installed")
httpx = pytest.importorskip("httpx", reason="httpx is not installed")

COUNTS = re.compile(r"stopped: (\d+) requests accepted, (\d+) answered")


class Clients:
    """Clients that ask one request after the other until nobody listens, and count what became of each."""

    def __init__(self, url: str, count: int) -> None:
        self.url = url
        self.answered: list[int] = []
        self.broken: list[str] = []
        self.threads = [threading.Thread(target=self.ask) for _ in range(count)]
        for thread in self.threads:
            thread.start()

    def ask(self) -> None:
        with httpx.Client(timeout=SECONDS) as client:
            while True:
                try:
                    answer = client.post(f"{self.url}/predict", json={"text": "oil leak"})
                except httpx.ConnectError:
                    return
                except httpx.HTTPError as error:
                    self.broken.append(repr(error))
                    return
                self.answered.append(answer.status_code)

    def join(self) -> None:
        for thread in self.threads:
            thread.join(SECONDS)


@pytest.fixture
def own(bundle: Path) -> Iterator[Running]:
    """A server to stop."""
    with serving(bundle) as running:
        yield running


def test_in_the_middle_of_load_every_accepted_request_is_answered(own: Running) -> None:
    clients = Clients(own.url, 16)
    while len(clients.answered) < 50:
        time.sleep(0.01)
    code, log = own.stop()
    clients.join()
    assert code == 0
    counts = COUNTS.search(log)
    assert counts, log
    accepted, answered = map(int, counts.groups())
    assert accepted == answered == len(clients.answered)
    assert set(clients.answered) == {200}
    assert clients.broken == []


def test_it_is_not_ready_first_and_goes_on_answering_while_it_drains(bundle: Path) -> None:
    with serving(bundle, "--drain", 600) as own:
        assert httpx.get(f"{own.url}/readyz").status_code == 200
        own.process.send_signal(signal.SIGTERM)
        wait_until(own, "stops after")
        time.sleep(1.5)  # without the drain it listens no more by now
        answer = httpx.get(f"{own.url}/readyz")
        assert (answer.status_code, answer.headers["Connection"]) == (503, "close")
        assert httpx.get(f"{own.url}/v2/health/ready").status_code == 503
        assert httpx.get(f"{own.url}/v2/models/tiny-factory/ready").status_code == 503
        assert httpx.get(f"{own.url}/healthz").status_code == 200
        assert httpx.post(f"{own.url}/predict", json={"text": "oil leak"}).status_code == 200


def test_a_request_whose_body_is_still_to_come_is_answered_too(own: Running) -> None:
    body = b'{"text": "oil leak"}'
    with socket.create_connection(("127.0.0.1", own.port)) as connection:
        head = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        connection.sendall(head + b"Content-Length: %d\r\n\r\n" % len(body) + body[:5])
        own.process.send_signal(signal.SIGINT)
        wait_until(own, "stops after")
        connection.sendall(body[5:])
        assert connection.makefile("rb").read().startswith(b"HTTP/1.1 200 OK")
    assert own.wait()[0] == 0


def test_a_client_that_says_nothing_does_not_hold_it_up(own: Running) -> None:
    with socket.create_connection(("127.0.0.1", own.port)):
        assert own.stop(signal.SIGINT)[0] == 0


def test_a_body_that_does_not_come_is_given_up(bundle: Path) -> None:
    with serving(bundle, "--timeout", 0.3) as own, socket.create_connection(("127.0.0.1", own.port)) as connection:
        connection.sendall(
            b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"
        )
        answer = connection.makefile("rb").read()
        assert answer.startswith(b"HTTP/1.1 408 Request Timeout")
        assert b"the body did not come within 0.3 s" in answer


def test_a_second_signal_ends_it_whatever_waits(own: Running) -> None:
    with socket.create_connection(("127.0.0.1", own.port)) as connection:
        connection.sendall(
            b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"
        )
        own.process.send_signal(signal.SIGINT)
        wait_until(own, "stops after")
        own.process.send_signal(signal.SIGINT)
        own.process.wait(20)  # the body may take 30 s


def test_who_leaves_before_the_answer_is_counted_and_what_it_asked_is_not_run(bundle: Path) -> None:
    body = json.dumps({"texts": ["oil leak at the feed pump " * 300] * 200}).encode()
    head = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    with serving(bundle, "--max-bytes", 1 << 24, "--timeout", SECONDS) as own:
        with socket.create_connection(("127.0.0.1", own.port)) as connection:
            connection.sendall(head % len(body) + body)
            wait_for_metric(own, r'edgener_queue_texts{model="tiny-factory"} [1-9]')
        wait_for_metric(own, r'edgener_errors_total{endpoint="predict",model="tiny-factory",status="499"} 1.0')
        wait_for_metric(own, r'edgener_queue_texts{model="tiny-factory"} 0.0')
        assert own.stop()[1].endswith("1 requests accepted, 0 answered\n")


def test_who_connected_just_before_it_stops_listening_is_answered_and_who_says_nothing_does_not_hold_it_up(
    held: Held,
) -> None:
    request = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"

    from edgener_runtime.services.http.app import create_app
    from edgener_runtime.services.http.connections.table import ConnectionTable
    from edgener_runtime.services.http.models.served import ModelSource, ServedModel
    from edgener_runtime.services.http.server import Server
    from edgener_runtime.services.http.service import Service

    async def stop_with_clients_in_the_kernels_queue() -> list[bytes]:
        source = ModelSource(lambda: held)  # type: ignore[arg-type,return-value]
        service = Service([ServedModel(source, Limits())], Limits())
        config = uvicorn.Config(create_app(service), log_config=None, lifespan="off")
        config.load()
        server = Server(config, service, ConnectionTable(ConnectionLimits()), "a url")
        server.lifespan = config.lifespan_class(config)
        with socket.create_server(("127.0.0.1", 0)) as listening:
            await server.startup([listening])
            clients = [socket.create_connection(listening.getsockname()) for _ in range(3)]  # nobody accepts meanwhile
            for client in clients[:2]:
                client.sendall(request)
            await server.shutdown([listening])
        return [client.recv(15) for client in clients]

    found = asyncio.run(stop_with_clients_in_the_kernels_queue())
    assert found == [b"HTTP/1.1 200 OK", b"HTTP/1.1 200 OK", b""]


def wait_for_metric(running: Running, pattern: str) -> None:
    """Until a line of /metrics begins so."""
    end = time.monotonic() + SECONDS
    while not re.search(f"^{pattern}", httpx.get(f"{running.url}/metrics").text, re.MULTILINE):
        assert time.monotonic() < end

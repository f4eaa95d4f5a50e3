"""The server process: it listens, says so, and stops when all that it accepted is answered."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import Iterator
from typing import Any

import uvicorn

from edgener_runtime.aio import AsyncTokenClassifier
from edgener_runtime.pipeline import TokenClassifier

from .app import create_app
from .bind import Listener
from .limits import Limits
from .service import Service

_log = logging.getLogger(__name__)
_FORM = "%(asctime)s %(levelname)s %(message)s"
_SPARE = 5  # seconds beyond the longest answer before connections are cut at the stop
_LAST_WORDS = 2  # seconds at most in which who is connected when the server stops listening may still ask
_LOOK = 0.05  # seconds between two looks at whether anyone can


class Server(uvicorn.Server):
    """uvicorn that, on SIGTERM, says it is not ready and goes on for `drain` seconds before it accepts no more.

    SIGINT stops without that wait, a second signal without waiting for answers.
    """

    def __init__(self, config: uvicorn.Config, service: Service, url: str, drain: float) -> None:
        super().__init__(config)
        self.service = service
        self.url = url
        self.drain = drain

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        await super().startup(sockets)
        runs = self.service.classifier.classifier
        _log.info("listening on %s with %s, %s on %s", self.url, self.service.model, runs.variant.name, runs.provider)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept no more, and answer all who are connected.

        uvicorn alone turns away who is connected and has sent, where it has not read that yet.
        """
        accepted = [connection for listening in sockets or [] for connection in _accept_waiting(listening)]
        for server in self.servers:
            server.close()
        connect = asyncio.get_running_loop().connect_accepted_socket
        connecting = asyncio.gather(  # TLS may fail there, or wait for a client that says nothing
            *(connect(self._protocol, connection, ssl=self.config.ssl) for connection in accepted),
            return_exceptions=True,
        )
        for _ in range(round(_LAST_WORDS / _LOOK)):
            await asyncio.sleep(_LOOK)
            if self.force_exit or (connecting.done() and not self._someone_may_ask()):
                break
        if self.force_exit:
            self._cut()
        await super().shutdown(sockets)
        connecting.cancel()

    def _someone_may_ask(self) -> bool:
        """Whether a connection is open that waits for no answer: uvicorn would close it while a request comes in."""
        connections: set[Any] = set(self.server_state.connections)
        return any(connection.cycle is None or connection.cycle.response_complete for connection in connections)

    def _cut(self) -> None:
        """End the connections: from Python 3.12 on a closed asyncio server waits for them."""
        for connection in list(self.server_state.connections):
            connection.transport.abort()

    def _protocol(self) -> asyncio.Protocol:
        kind: Any = self.config.http_protocol_class
        protocol: asyncio.Protocol = kind(
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return protocol

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Own handlers in place of uvicorn's, which would end the process by the signal after a clean stop."""
        loop = asyncio.get_running_loop()
        waits = {signal.SIGTERM: self.drain, signal.SIGINT: 0.0}
        for number, wait in waits.items():
            loop.add_signal_handler(number, self._stop, wait)
        try:
            yield
        finally:
            for number in waits:
                loop.remove_signal_handler(number)

    def _stop(self, wait: float) -> None:
        if self.service.draining:
            self.should_exit = self.force_exit = True
            self._cut()
            return
        self.service.draining = True
        _log.info("stopping: not ready any more, %d texts wait", self.service.classifier.pending)
        asyncio.get_running_loop().call_later(wait, setattr, self, "should_exit", True)


def _accept_waiting(listening: socket.socket) -> Iterator[socket.socket]:
    """The connections that the kernel holds for a socket; they are reset where it is closed with them."""
    asyncio.get_running_loop().remove_reader(listening)
    with contextlib.suppress(BlockingIOError):
        while True:
            connection, _ = listening.accept()
            connection.setblocking(False)
            yield connection


def run_server(
    classifier: TokenClassifier, limits: Limits, listener: Listener, token: str | None = None, drain: float = 1
) -> None:
    """Serve until SIGTERM or SIGINT, then answer what was accepted; closes the classifier."""
    logging.basicConfig(level=logging.INFO, format=_FORM)
    if listener.is_public and not listener.tls:
        _log.warning("the token goes over the network in the clear: give --tls-certificate and --tls-key")
    asyncio.run(_serve(classifier, limits, listener, token, drain))


async def _serve(
    classifier: TokenClassifier, limits: Limits, listener: Listener, token: str | None, drain: float
) -> None:
    service = Service(AsyncTokenClassifier(classifier), limits)
    config = uvicorn.Config(
        create_app(service, token),
        log_config=None,
        log_level="warning",
        access_log=False,
        http="h11",
        ws="none",
        lifespan="on",
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=int(2 * limits.seconds) + _SPARE,
    )
    config.load()
    config.ssl = listener.tls
    await Server(config, service, listener.url, drain).serve([listener.socket])
    _log.info("stopped: %d requests accepted, %d answered", service.accepted, service.answered)

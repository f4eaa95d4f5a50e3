"""The server process: it listens and logs it, and stops after all accepted requests are answered."""

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
_FORMAT = "%(asctime)s %(levelname)s %(message)s"
_SPARE = 5  # seconds beyond the longest answer before the stop aborts connections
_LAST_REQUESTS = 2  # most seconds in which idle connections may still send a request after the server stops listening
_POLL = 0.05  # seconds between two checks for idle connections


class Server(uvicorn.Server):
    """uvicorn that reports not ready on SIGTERM and accepts requests for `drain` more seconds.

    SIGINT stops without that wait, a second signal without the pending answers.
    """

    def __init__(self, config: uvicorn.Config, service: Service, url: str, drain: float) -> None:
        super().__init__(config)
        self.service = service
        self.url = url
        self.drain = drain

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen and log the address."""
        await super().startup(sockets)
        runs = self.service.classifier.classifier
        _log.info("listening on %s with %s, %s on %s", self.url, self.service.model, runs.variant.name, runs.provider)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop accepting connections, and answer the requests of open ones.

        uvicorn alone drops a request that an open connection has sent and uvicorn has not read yet.
        """
        accepted = [connection for listening in sockets or [] for connection in _accept_waiting(listening)]
        for server in self.servers:
            server.close()
        connect = asyncio.get_running_loop().connect_accepted_socket
        connecting = asyncio.gather(  # TLS may fail here, or wait for a silent client
            *(connect(self._protocol, connection, ssl=self.config.ssl) for connection in accepted),
            return_exceptions=True,
        )
        for _ in range(round(_LAST_REQUESTS / _POLL)):
            await asyncio.sleep(_POLL)
            if self.force_exit or (connecting.done() and not self._has_idle_connection()):
                break
        if self.force_exit:
            self._abort_connections()
        await super().shutdown(sockets)
        connecting.cancel()

    def _has_idle_connection(self) -> bool:
        """Whether a connection is open without a pending answer: uvicorn would close it while a request arrives."""
        connections: set[Any] = set(self.server_state.connections)
        return any(connection.cycle is None or connection.cycle.response_complete for connection in connections)

    def _abort_connections(self) -> None:
        """Abort the connections: since Python 3.12 a closed asyncio server waits for them."""
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
        """Replace uvicorn's handlers, which end the process by the signal after a clean stop."""
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
            self._abort_connections()
            return
        self.service.draining = True
        _log.info("stopping: not ready any more, %d texts pending", self.service.classifier.pending)
        asyncio.get_running_loop().call_later(wait, setattr, self, "should_exit", True)


def _accept_waiting(listening: socket.socket) -> Iterator[socket.socket]:
    """The connections in the kernel's queue of a socket; a close would reset them."""
    asyncio.get_running_loop().remove_reader(listening)
    with contextlib.suppress(BlockingIOError):
        while True:
            connection, _ = listening.accept()
            connection.setblocking(False)
            yield connection


def run_server(
    classifier: TokenClassifier, limits: Limits, listener: Listener, token: str | None = None, drain: float = 1
) -> None:
    """Serve until SIGTERM or SIGINT, then answer the accepted requests; closes the classifier."""
    logging.basicConfig(level=logging.INFO, format=_FORMAT)
    if listener.is_public and not listener.tls:
        _log.warning("the token is sent over the network in clear text: give --tls-certificate and --tls-key")
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

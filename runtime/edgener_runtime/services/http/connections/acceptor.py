"""Accepts connections while there is room for them."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable, Iterator, Sequence

from .protocol import HttpConnection
from .table import ConnectionTable

_log = logging.getLogger(__name__)
_BACKLOG = 2048  # connections that the kernel keeps while none is accepted
_AT_ONCE = 16  # connections accepted before other events are handled
_PAUSE = 0.1  # seconds without accepting, where there is no room


class Acceptor:
    """Accepts the connections of listening sockets into a table.

    asyncio's own server accepts without a limit, and logs each failure where the process may open no more files.
    """

    def __init__(
        self,
        sockets: Sequence[socket.socket],
        table: ConnectionTable,
        make: Callable[[], HttpConnection],
        tls: ssl.SSLContext | None,
    ) -> None:
        self.sockets = sockets
        self.table = table
        self._make = make
        self._tls = tls
        self._loop = asyncio.get_running_loop()

    def start(self) -> None:
        """Listen."""
        for listening in self.sockets:
            listening.setblocking(False)
            listening.listen(_BACKLOG)
            self._watch(listening)

    def stop(self) -> None:
        """Accept the connections in the kernel's queue, which a close would reset, and no more after them."""
        for listening in self.sockets:
            self._loop.remove_reader(listening)
            for accepted in _waiting(listening, self.table):
                self._open(accepted)
            listening.close()

    def _watch(self, listening: socket.socket) -> None:
        if listening.fileno() >= 0:  # not stopped during a pause
            self._loop.add_reader(listening, self._accept, listening)

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(_AT_ONCE):
            if not self.table.make_room():
                self._pause(listening)
                return
            try:
                accepted, _ = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:  # too many open files, in this process or on the machine
                _log.error("no connection can be accepted: %s", error.strerror)
                self._pause(listening)
                return
            self._open(accepted)

    def _pause(self, listening: socket.socket) -> None:
        self._loop.remove_reader(listening)
        self._loop.call_later(_PAUSE, self._watch, listening)

    def _open(self, accepted: socket.socket) -> None:
        accepted.setblocking(False)
        connection = self._make()
        self.table.add(connection)
        connection.opening = self._loop.create_task(self._connect(connection, accepted))

    async def _connect(self, connection: HttpConnection, accepted: socket.socket) -> None:
        seconds = self.table.limits.header if self._tls else None
        try:
            await self._loop.connect_accepted_socket(
                lambda: connection, accepted, ssl=self._tls, ssl_handshake_timeout=seconds
            )
        except OSError as error:
            self.table.discard(connection)
            _log.info("no TLS with a client: %s", error)


def _waiting(listening: socket.socket, table: ConnectionTable) -> Iterator[socket.socket]:
    while table.make_room():
        try:
            accepted, _ = listening.accept()
        except OSError:
            return
        yield accepted

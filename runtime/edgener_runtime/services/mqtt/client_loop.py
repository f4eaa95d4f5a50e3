"""paho's client on the asyncio event loop: its callbacks run on the loop, without a thread."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import Any

from paho.mqtt.client import Client


class ClientLoop:
    """Reads and writes for a client whose `connect` has returned; `failed` receives any exception of a step."""

    def __init__(self, client: Client, failed: Callable[[Exception], None]) -> None:
        self._client = client
        self._failed = failed
        self._loop = asyncio.get_running_loop()
        self._pings: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Watch the client's socket and send pings."""
        socket = self._client.socket()
        if socket is None:
            self._failed(ConnectionResetError("closed at once"))
            return
        number = socket.fileno()
        self._client.on_socket_register_write = lambda *_: self._watch_room(number)
        self._client.on_socket_unregister_write = lambda *_: self._unwatch_room(number)
        self._client.on_socket_close = lambda *_: self._unwatch(number)
        self._loop.add_reader(number, self._step, self._read)
        self._pings = self._loop.create_task(self._ping())

    def stop(self) -> None:
        """Close the socket without a DISCONNECT packet, so that the broker publishes the will."""
        if self._pings:
            self._pings.cancel()
        # the client outlives the loop and its descriptor is reused: it must not unwatch the next socket
        self._client.on_socket_register_write = None
        self._client.on_socket_unregister_write = None
        self._client.on_socket_close = None
        socket = self._client.socket()
        if socket and socket.fileno() >= 0:  # not closed yet
            self._unwatch(socket.fileno())
            socket.close()

    def _watch_room(self, number: int) -> None:
        self._loop.add_writer(number, self._step, self._client.loop_write)

    def _unwatch_room(self, number: int) -> None:
        self._loop.remove_writer(number)

    def _unwatch(self, number: int) -> None:
        self._loop.remove_reader(number)
        self._unwatch_room(number)

    def _step(self, step: Callable[[], Any]) -> None:
        try:
            step()
        except Exception as error:  # noqa: BLE001 - a broker may send anything
            self._failed(error)

    def _read(self) -> None:
        self._client.loop_read()
        while isinstance(socket := self._client.socket(), ssl.SSLSocket) and socket.pending():
            self._client.loop_read()  # what TLS has decrypted already wakes no one

    async def _ping(self) -> None:
        while True:
            self._step(self._client.loop_misc)
            await asyncio.sleep(1)

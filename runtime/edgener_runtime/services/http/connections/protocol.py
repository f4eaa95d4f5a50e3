"""One connection: uvicorn's protocol, with errors in JSON and without an end only while a request is in progress."""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
import time
from http import HTTPStatus
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from edgener_runtime.services.http.error_responses import RequestError

from .table import ConnectionTable

_log = logging.getLogger(__name__)
_BUFFER = memoryview(bytearray(1 << 16))  # what arrives is read into it and taken from it at once, by all connections
_LONGEST = 200  # characters of a line on what a client sent
_LINGER = 1.0  # seconds for the client to read why its connection ends
_STEP = 0.1  # seconds between two checks whether a client that sends no more still reads
_HINT = "Send HTTP/1.1 requests as RFC 9112 describes them; /openapi.json has the paths."


class HttpConnection(H11Protocol, asyncio.BufferedProtocol):
    """Reads at most 64 KiB ahead, and reports to the table whether it has a request."""

    def __init__(self, table: ConnectionTable, **settings: Any) -> None:
        super().__init__(**settings)
        self.table = table
        self.idle_since = 0.0
        self._has_header_started = True  # a header is due from the start, and then from its first byte
        self.is_open = False
        self.opening: asyncio.Task[None] | None = None  # while TLS is being agreed upon
        self._has_ended = self._sends_no_more = False
        self._unsent = 0
        self._sent_at = time.monotonic()

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the transport puts what arrives."""
        return _BUFFER

    def buffer_updated(self, nbytes: int) -> None:
        """Take what arrived."""
        self.data_received(bytes(_BUFFER[:nbytes]))

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start, with a state of its own for the application."""
        super().connection_made(transport)
        self.is_open = True
        self.app_state = dict(self.app_state)

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self.table.discard(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read what arrived; the time for a header begins with its first byte."""
        if self._has_ended:
            return
        if self._is_idle() and not self._has_header_started and self.conn.their_state is h11.IDLE:
            self._has_header_started = True
            self.table.set_idle(self)
        super().data_received(data)

    def eof_received(self) -> bool:  # type: ignore[override]
        """The client sends no more: it has disconnected, or still reads the answers to what it has sent (`nc -N`).

        What is sent to one that has disconnected comes back as a reset. Without an answer yet, that is an interim one.
        """
        unanswered = not self._has_ended and not self._is_idle() and self.conn.their_state is not h11.SEND_BODY
        if not unanswered or not self.transport.can_write_eof():  # TLS ends in both directions
            return False
        if not self._sends_no_more:
            self._sends_no_more = True
            self._check_reader()
        if self.conn.our_state is h11.SEND_RESPONSE and self.conn.their_http_version != b"1.0":
            interim = h11.InformationalResponse(status_code=HTTPStatus.CONTINUE, headers=[], reason=b"Continue")
            self.transport.write(self.conn.send(interim) or b"")
        return True

    def _check_reader(self) -> None:
        if self.transport.is_closing():
            return
        if self.transport.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self.transport.abort()
        else:
            self.loop.call_later(_STEP, self._check_reader)

    def handle_events(self) -> None:
        """Act on what arrived; the application learns whether there are too many requests."""
        self.app_state["only_probes"] = self.table.is_full
        super().handle_events()
        if not self._is_idle():
            self.table.set_busy(self)

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        self._has_header_started = False
        self.table.set_idle(self)
        super().on_response_complete()
        if self._sends_no_more and self._is_idle():
            self.transport.close()

    def late(self) -> str | None:
        """What takes too long, if anything."""
        if not self.is_open:
            return self._too_long("no TLS handshake", self.table.limits.header)
        unsent = self.transport.get_write_buffer_size()
        if not unsent or unsent < self._unsent:
            self._sent_at = time.monotonic()
        self._unsent = unsent
        if time.monotonic() - self._sent_at > self.table.limits.idle:
            return "the client does not read its answer"
        if not self._is_idle():
            return None
        if self._has_header_started:
            return self._too_long("no complete header", self.table.limits.header)
        return self._too_long("no request", self.table.limits.idle)

    def _too_long(self, what: str, seconds: float) -> str | None:
        return f"{what} within {seconds:g} s" if time.monotonic() - self.idle_since > seconds else None

    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def close_late(self, reason: str) -> None:
        """Close the connection; a client that has started a request learns why."""
        if self._is_idle() and self.conn.their_state is h11.IDLE and self.conn.trailing_data[0]:
            self._refuse(RequestError(HTTPStatus.REQUEST_TIMEOUT, reason))
        self.abort()

    def abort(self) -> None:
        """End the connection at once, whatever has not been sent."""
        self.table.discard(self)
        if self.is_open:
            self.transport.abort()
        elif self.opening:
            self.opening.cancel()

    def send_400_response(self, msg: str) -> None:
        """Answer malformed HTTP; uvicorn calls it while it handles the error, and knows no other answer than text."""
        error = sys.exc_info()[1]
        status = getattr(error, "error_status_hint", HTTPStatus.BAD_REQUEST)
        reason = f"malformed HTTP: {error or msg}"[:_LONGEST]
        _log.warning("%s: %s", self.client[0] if self.client else "a client", reason)
        self._refuse(RequestError(status, reason, _HINT))
        self._end()

    def _end(self) -> None:
        """Close the connection, but let the client read its answer first: what it still sends would reset it."""
        if self.cycle and not self._is_idle():  # nothing of the application's answer may follow
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if not self.transport.can_write_eof():  # TLS
            self.transport.close()
        elif not self.transport.is_closing():
            self._has_ended = True
            self.transport.write_eof()
            self.loop.call_later(_LINGER, self.transport.abort)

    def _refuse(self, error: RequestError) -> None:
        """Answer instead of the application, if there is no answer yet."""
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            return
        response = error.response()
        headers = [*response.raw_headers, (b"connection", b"close")]
        reason = HTTPStatus(error.status).phrase.encode()
        for event in (
            h11.Response(status_code=error.status, headers=headers, reason=reason),
            h11.Data(data=bytes(response.body)),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")

    def _unsupported_upgrade_warning(self) -> None:
        _log.info("a request to change to another protocol is answered as HTTP/1.1")

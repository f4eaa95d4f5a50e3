"""The open connections of a server: their number, and those that take too long."""

from __future__ import annotations

import logging
import os
import resource
import time
from pathlib import Path
from typing import Protocol

from edgener_runtime.errors import UserInputError
from edgener_runtime.services.http.limits import ConnectionLimits

_log = logging.getLogger(__name__)
RESERVE = 16  # connections beyond the limit, for probes
_SPARE = 48  # files that the process opens besides: the page's, a bundle's, connections that are about to be closed
_OPEN_FILES = Path("/dev/fd")  # an entry for each; a changed root may have none
_SETTLED = 1.0  # seconds before a connection without a request may make room for another


class TrackedConnection(Protocol):
    """What the table asks of a connection."""

    idle_since: float
    is_open: bool

    def late(self) -> str | None:
        """What takes too long, if anything."""

    def close_late(self, reason: str) -> None:
        """End the connection for a reason, which a client that has started a request learns."""

    def abort(self) -> None:
        """End the connection at once."""


class ConnectionTable:
    """Knows each connection from its acceptance to its end.

    Where there are as many as allowed, the one that has waited longest without a request makes room. Where all have
    one, a few more are accepted, on which only probes are answered.
    """

    def __init__(self, limits: ConnectionLimits) -> None:
        self.limits = limits
        self.most = _most_connections(limits.most)
        self._all: set[TrackedConnection] = set()
        self._idle: dict[TrackedConnection, None] = {}  # without a request, the longest first

    def __len__(self) -> int:
        return len(self._all)

    def add(self, connection: TrackedConnection) -> None:
        """Count a connection."""
        self._all.add(connection)
        self.set_idle(connection)

    def discard(self, connection: TrackedConnection) -> None:
        """Count a connection no more."""
        self._all.discard(connection)
        self._idle.pop(connection, None)

    def set_idle(self, connection: TrackedConnection) -> None:
        """The connection waits for a request from now on."""
        if connection in self._all:
            self._idle.pop(connection, None)
            self._idle[connection] = None
            connection.idle_since = time.monotonic()

    def set_busy(self, connection: TrackedConnection) -> None:
        """The connection has a request."""
        self._idle.pop(connection, None)

    @property
    def has_idle(self) -> bool:
        """Whether a connection is open without a request."""
        return bool(self._idle)

    @property
    def is_full(self) -> bool:
        """Whether as many connections as allowed have a request."""
        return len(self._all) - len(self._idle) >= self.most

    def abort_unopened(self) -> None:
        """End the connections whose TLS handshake is not complete."""
        for connection in list(self._idle):
            if not connection.is_open:
                connection.abort()

    def make_room(self) -> bool:
        """Whether another connection may be accepted; where there are too many, an idle one is closed for it."""
        if len(self._all) < self.most:
            return True
        longest = next(iter(self._idle), None)
        if longest and time.monotonic() - longest.idle_since >= _SETTLED:
            _log.warning("%d connections: the one that waited longest for a request is closed", len(self._all))
            longest.abort()
            return True
        return len(self._all) < self.most + RESERVE

    def close_late(self) -> None:
        """Close the connections that take too long to send a header, to send another request, or to read an answer."""
        for connection in list(self._all):
            if reason := connection.late():
                _log.info("a connection is closed: %s", reason)
                connection.close_late(reason)


def _most_connections(requested: int) -> int:
    """The requested number, or fewer where the process may not open so many files."""
    used = _count_open_files() + RESERVE + _SPARE
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < requested + used:
        soft = requested + used if hard == resource.RLIM_INFINITY else min(hard, requested + used)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    most = requested if soft == resource.RLIM_INFINITY else min(requested, soft - used)
    if most < 1:
        raise UserInputError(
            f"this process may open {soft} files, a server needs at least {used + 1}", "Raise the limit: ulimit -n 1024"
        )
    if most < requested:
        _log.warning("at most %d connections instead of %d, as this process may open %d files", most, requested, soft)
    return most


def _count_open_files() -> int:
    """How many this process has open; without a list of them, the number of the next one, as the lowest is taken."""
    try:
        return sum(1 for _ in _OPEN_FILES.iterdir())
    except OSError:
        descriptor = os.open("/", os.O_RDONLY)
        os.close(descriptor)
        return descriptor

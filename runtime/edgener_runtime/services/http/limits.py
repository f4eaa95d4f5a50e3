"""The limits of a server, apart so that its command loads no library of the server."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Limits of requests.

    Bytes of a body, characters of a text, pending texts, seconds for an answer, bytes of all bodies in memory, bytes
    per second of a body, and seconds for a batch of the model.
    """

    body: int = 1 << 20
    text: int = 20_000
    queue: int = 256
    seconds: float = 30
    bodies: int = 32 << 20
    rate: int = 240
    overdue: float = 60


@dataclass(frozen=True)
class ConnectionLimits:
    """How many connections, seconds until a header is complete, and seconds without a request or while nobody reads."""

    most: int = 1024
    header: float = 10
    idle: float = 60

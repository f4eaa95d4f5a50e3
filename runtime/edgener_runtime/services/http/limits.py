"""The limits of a server, apart so that its command loads no library of the server."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Bytes of a body, characters of a text, pending texts, and seconds for an answer."""

    body: int = 1 << 20
    text: int = 20_000
    queue: int = 256
    seconds: float = 30

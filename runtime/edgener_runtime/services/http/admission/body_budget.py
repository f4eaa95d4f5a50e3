"""The memory that all requests share for their bodies."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edgener_runtime.services.http.error_responses import RequestError


@dataclass
class BodyMemory:
    """Bytes of bodies in memory, at most `most`."""

    most: int
    used: int = 0

    def take(self, size: int) -> None:
        """Count bytes. Raises RequestError 503 where they are too many."""
        if self.used + size > self.most:
            raise RequestError(
                503,
                f"the requests in progress have {self.used} bytes, at most {self.most} are accepted at once",
                "Try again.",
                {"Retry-After": "1"},
            )
        self.used += size

    def give_back(self, size: int) -> None:
        """Count bytes no more."""
        self.used -= size

    @contextmanager
    def hold(self, size: int) -> Iterator[None]:
        """Count bytes meanwhile. Raises RequestError 503 where they are too many."""
        self.take(size)
        try:
            yield
        finally:
            self.give_back(size)


class BodyBudget:
    """ASGI middleware that counts the bytes of a body, as they arrive, until the request is answered.

    The texts of a request take about as much memory as its body, and are kept until then. Its state has their number.
    """

    def __init__(self, app: ASGIApp, budget: BodyMemory) -> None:
        self.app = app
        self.budget = budget

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        taken = 0

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            size = len(message.get("body", b""))
            self.budget.take(size)
            taken += size
            scope.setdefault("state", {})["body_bytes"] = taken
            return message

        try:
            await self.app(scope, counted, send)
        finally:
            self.budget.give_back(taken)

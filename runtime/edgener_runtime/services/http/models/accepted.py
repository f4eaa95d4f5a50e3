"""The requests of one model: how many are accepted, and how long each may take."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from starlette.requests import Request
from starlette.types import Receive

from edgener_runtime.aio import AsyncTokenClassifier
from edgener_runtime.pipeline import Answer
from edgener_runtime.services.http.admission.body_budget import BodyMemory
from edgener_runtime.services.http.admission.capacity import Capacity
from edgener_runtime.services.http.error_responses import RequestError
from edgener_runtime.services.http.limits import Limits

Answers = Callable[["str | None"], Coroutine[Any, Any, "list[Answer]"]]
_CLIENT_LEFT = 499  # nginx's status for a disconnected client; only the metrics show it


class AcceptedRequests:
    """The requests that wait for a model, within limits.

    `share` is the part of the machine, of the memory for bodies and of the server's `connections` that they may use.
    """

    def __init__(self, limits: Limits, share: float, connections: int) -> None:
        self.limits = limits
        self.capacity = Capacity(share)
        self.most = max(1, int(connections * share))
        self.bodies = BodyMemory(max(limits.body, int(limits.bodies * share)))
        self.accepted = self.answered = 0  # for the log's last line
        self._waiting = self._texts = 0

    async def answer(
        self, answers: Answers, texts: Sequence[str], request: Request, classifier: AsyncTokenClassifier, pending: int
    ) -> list[Answer]:
        """What `answers` returns for the client's address, which shares its turns, while `pending` texts wait.

        Raises RequestError: 413 for texts that take too long, 429 for too many of them, 503 for too many bytes, 504
        after the time-out, 499 where the client disconnects.
        """
        with self._admitted(len(texts), pending), self.bodies.hold(getattr(request.state, "body_bytes", 0)):
            subwords = await self._subwords(texts, classifier)
            if not self.capacity.has_room(texts, subwords):
                self.capacity.measure_again(classifier, self.limits.seconds)
            with self.capacity.hold(texts, subwords):
                return await self._within_time(answers, request)

    async def _subwords(self, texts: Sequence[str], classifier: AsyncTokenClassifier) -> int:
        """The subwords. A busy machine may take longer over many texts than the time-out, to refuse them then."""
        try:
            return await asyncio.wait_for(self.capacity.count(classifier, texts), self.limits.overdue)
        except asyncio.TimeoutError:
            raise _late(self.limits.overdue) from None

    async def _within_time(self, answers: Answers, request: Request) -> list[Answer]:
        self.accepted += 1
        answering = asyncio.ensure_future(answers(request.client.host if request.client else None))
        left = asyncio.ensure_future(_disconnect(request.receive))
        try:
            done, _ = await asyncio.wait(
                (answering, left), timeout=self.limits.seconds, return_when=asyncio.FIRST_COMPLETED
            )
        finally:  # texts that nobody waits for are not run
            given_up = answering.cancel()
            left.cancel()
        if given_up and left in done:
            raise RequestError(_CLIENT_LEFT, "the client disconnected before its answer")
        self.answered += 1
        if not given_up:
            return answering.result()
        raise _late(self.limits.seconds)

    @contextmanager
    def _admitted(self, count: int, pending: int) -> Iterator[None]:
        """Count a request and its texts until it is answered; all of them are accepted at once, or none."""
        pending = max(self._texts, pending)  # the model may still run texts that were given up
        if pending + count > self.limits.queue:
            raise _too_many(f"{pending} texts are pending, at most {self.limits.queue} are accepted")
        if self._waiting >= self.most:
            raise _too_many(f"{self._waiting} requests are pending, at most {self.most} are accepted")
        self._waiting += 1
        self._texts += count
        try:
            yield
        finally:
            self._waiting -= 1
            self._texts -= count


def _late(seconds: float) -> RequestError:
    hint = "Send fewer or shorter texts, or try again later."
    return RequestError(504, f"no answer within {seconds:g} s", hint)


def _too_many(message: str) -> RequestError:
    return RequestError(429, message, "Try again.", {"Retry-After": "1"})


async def _disconnect(client: Receive) -> None:
    """Wait until the client disconnects; its body is already read."""
    while (await client())["type"] != "http.disconnect":
        pass

"""What a server does with queries that come at any time: those that wait are answered together."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass

from .load import OverrunError, System


@dataclass(frozen=True)
class Ticket:
    """A query that waits: the number of its text, and what its sender knows it by."""

    text: int
    sender: int


class Batcher:
    """A thread that takes what waits, at most `together`, answers it and tells; then the next.

    It stops answering with the first error, which is kept in `failure`: the system's, or OverrunError where more than
    `most` wait. What waits then is told when `release` is called, so that who counts answers gets all of them.
    """

    def __init__(self, system: System, together: int, most: int, tell: Callable[[Sequence[Ticket]], None]) -> None:
        self.failure: BaseException | None = None
        self._system, self._together, self._most, self._tell = system, together, most, tell
        self._waiting: deque[Ticket] = deque()
        self._changed = threading.Condition()
        self._unanswered = 0
        self._closed = False
        self._released = threading.Event()
        self._thread = ThreadPoolExecutor(1, "edgener-bench-batcher")
        self._work_done = self._thread.submit(self._work)

    def put(self, ticket: Ticket) -> None:
        """Let a query wait."""
        with self._changed:
            self._waiting.append(ticket)
            self._unanswered += 1
            if self._unanswered > self._most:
                self._fail(
                    OverrunError(f"more than {self._most} queries wait: they come faster than they are answered")
                )
            self._changed.notify()

    def fail(self, failure: BaseException) -> None:
        """Stop answering, for this reason unless there is one already."""
        with self._changed:
            self._fail(failure)

    def release(self) -> None:
        """No more queries come: after a failure, tell of what waits without an answer."""
        self._released.set()

    def close(self) -> None:
        """Answer what waits, and end the thread."""
        self.release()
        with self._changed:
            self._closed = True
            self._changed.notify()
        with self._thread:
            try:
                wait([self._work_done])
            except BaseException as error:
                self.fail(error)
                wait([self._work_done])
                raise

    def _fail(self, failure: BaseException) -> None:
        self.failure = self.failure or failure

    def _work(self) -> None:
        while batch := self._next():
            self._answer([ticket.text for ticket in batch])
            if self.failure:
                self._released.wait()
            with self._changed:
                self._unanswered -= len(batch)
            self._tell(batch)

    def _next(self) -> list[Ticket]:
        """What waits, as much as is answered together; nothing once it is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            return [self._waiting.popleft() for _ in range(min(self._together, len(self._waiting)))]

    def _answer(self, texts: list[int]) -> None:
        if self.failure:
            return
        try:
            self._system.answer(texts)
        except BaseException as error:  # noqa: BLE001 - whoever drives raises it
            self.fail(error)

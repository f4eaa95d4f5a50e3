"""The batching of a server: queries that wait are answered together."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass

from .load import OverrunError, System


@dataclass(frozen=True)
class Ticket:
    """A waiting query: the number of its text, and the identifier of its sender."""

    text: int
    sender: int


class Batcher:
    """A thread that takes the waiting queries, at most `together`, answers them and reports them; then the next.

    It stops answering at the first error, which stays in `failure`: the system's, or OverrunError if more than `most`
    queries wait. The queries that wait then are reported after `release`, so that a caller who counts gets them all.
    """

    def __init__(self, system: System, together: int, most: int, report: Callable[[Sequence[Ticket]], None]) -> None:
        self.failure: BaseException | None = None
        self._system, self._together, self._most, self._report = system, together, most, report
        self._waiting: deque[Ticket] = deque()
        self._changed = threading.Condition()
        self._unanswered = 0
        self._closed = False
        self._released = threading.Event()
        self._thread = ThreadPoolExecutor(1, "edgener-bench-batcher")
        self._work_done = self._thread.submit(self._work)

    def put(self, ticket: Ticket) -> None:
        """Add a query to the queue."""
        with self._changed:
            self._waiting.append(ticket)
            self._unanswered += 1
            if self._unanswered > self._most:
                self._fail(
                    OverrunError(f"more than {self._most} queries wait: they come faster than they are answered")
                )
            self._changed.notify()

    def fail(self, failure: BaseException) -> None:
        """Stop answering because of this failure, unless there is an earlier one."""
        with self._changed:
            self._fail(failure)

    def release(self) -> None:
        """No more queries follow: after a failure, report the waiting ones without an answer."""
        self._released.set()

    def close(self) -> None:
        """Answer the waiting queries, and end the thread."""
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
            self._report(batch)

    def _next(self) -> list[Ticket]:
        """The next batch of waiting queries; empty once the batcher is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            return [self._waiting.popleft() for _ in range(min(self._together, len(self._waiting)))]

    def _answer(self, texts: list[int]) -> None:
        if self.failure:
            return
        try:
            self._system.answer(texts)
        except BaseException as error:  # noqa: BLE001 - the driver raises it
            self.fail(error)

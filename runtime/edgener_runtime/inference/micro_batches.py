"""Micro-batches: texts that arrive while a batch runs form the next, from all clients by equal shares."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from edgener_runtime.decoding.entity import Decoding, Entity
from edgener_runtime.errors import EdgenerError

from .fair_queue import FairQueue

THREADS = "edgener-batch"  # how the names of the threads begin that run batches
Run = Callable[..., "Sequence[list[Entity] | Exception]"]


@dataclass(frozen=True)
class BatchRecord:
    """One batch that ran: texts in it, characters of them, and whether it failed or one of its texts did."""

    texts: int
    characters: int
    failed: bool = False


@dataclass(frozen=True, eq=False)
class RunningBatch:
    """A batch that runs: texts in it, characters of them, and when it began."""

    texts: int
    characters: int
    began: float = field(default_factory=time.monotonic)


@dataclass
class _Call:
    """A text that waits for a batch."""

    text: str
    decoding: Decoding
    answer: asyncio.Future[list[Entity]] = field(repr=False)


class MicroBatches:
    """The texts that wait, and the thread that runs them in batches of at most `max_characters`, or of one text.

    A batch has texts of all clients and of all their requests, by equal shares of characters. It waits up to
    `max_wait` seconds for more texts.
    `run` answers texts.
    """

    def __init__(self, run: Run, max_wait: float, max_characters: int, batches: deque[BatchRecord]) -> None:
        self.run = run
        self.max_wait = max_wait
        self.max_characters = max_characters
        self.batches = batches  # the latest, for metrics
        self.running: RunningBatch | None = None  # for a watchdog
        self._waiting: FairQueue[_Call] = FairQueue(lambda call: len(call.text) + 1)
        self._characters = 0  # of the waiting texts
        self._running: list[_Call] = []
        self._arrived = asyncio.Event()
        self._closing = self._abandoned = False
        self._thread = ThreadPoolExecutor(1, THREADS)
        self._worker: asyncio.Task[None] | None = None

    @property
    def pending(self) -> int:
        """Texts accepted and not yet answered."""
        return len(self._waiting) + sum(not call.answer.done() for call in self._running)

    def accept(
        self, texts: Sequence[str], decoding: Decoding, client: Hashable = None
    ) -> list[asyncio.Future[list[Entity]]]:
        """Queue the texts of a request; the future of each one's entities."""
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
            self._worker.add_done_callback(self._fail_waiting)
        loop = asyncio.get_running_loop()
        calls = [_Call(text, decoding, loop.create_future()) for text in texts]
        self._waiting.add(calls, client)
        self._characters += sum(map(len, texts))
        self._arrived.set()
        return [call.answer for call in calls]

    def _fail_waiting(self, worker: asyncio.Task[None]) -> None:
        """Where the worker ended early, for whatever reason, nobody waits for ever: the next text starts another."""
        calls = [*self._running, *(self._waiting.pop() for _ in range(len(self._waiting)))]
        self._running, self._characters, self.running = [], 0, None
        if calls:
            error = None if worker.cancelled() else worker.exception()
            _answer(calls, [EdgenerError(f"the texts were not run: {error or 'cancelled'}")] * len(calls))

    async def close(self) -> None:
        """Answer the accepted texts."""
        self._closing = True
        self._arrived.set()
        if self._worker:
            await asyncio.wait([self._worker])  # whatever it ended with, its callers have it
        self._thread.shutdown(wait=not self._abandoned)

    def abandon(self) -> None:
        """Fail the accepted texts, and wait no more for the batch that runs: its thread ends where it returns."""
        self._closing = self._abandoned = True
        if self._worker:
            self._worker.cancel()

    async def _work(self) -> None:
        """Run batches until it is closed and no text waits."""
        while self._waiting or not self._closing:
            self._arrived.clear()
            if not self._waiting:
                await self._arrived.wait()
                continue
            await self._gather()
            self._running = self._next_batch()
            await self._run(self._running)
            self._running = []

    async def _gather(self) -> None:
        """Wait for more texts, at most `max_wait` seconds and until the batch is full."""
        deadline = asyncio.get_running_loop().time() + self.max_wait
        while self._characters < self.max_characters and not self._closing:
            self._arrived.clear()
            try:
                await asyncio.wait_for(self._arrived.wait(), deadline - asyncio.get_running_loop().time())
            except asyncio.TimeoutError:  # another class than TimeoutError before Python 3.11
                return

    def _next_batch(self) -> list[_Call]:
        """The next waiting texts with the same decoding, as many as fit; cancelled ones are left out."""
        batch: list[_Call] = []
        characters = 0
        while self._waiting:
            call = self._waiting.peek()
            full = characters + len(call.text) > self.max_characters
            if batch and (full or call.decoding != batch[0].decoding):
                break
            self._waiting.pop()
            self._characters -= len(call.text)
            if not call.answer.cancelled():
                batch.append(call)
                characters += len(call.text)
        return batch

    async def _run(self, batch: list[_Call]) -> None:
        """Answer a batch; where it fails as a whole, run each text alone, so that one does not fail the others."""
        if not batch:
            return
        texts = [call.text for call in batch]
        run = partial(self.run, texts, batch[0].decoding, return_errors=True)
        alone: list[_Call] = []
        found: Sequence[Any]
        self.running = RunningBatch(len(texts), sum(map(len, texts)))
        try:
            found = await asyncio.get_running_loop().run_in_executor(self._thread, run)
        except Exception as error:  # noqa: BLE001 - the caller gets it
            found, alone = [error], batch if len(batch) > 1 else []
        self.running = None
        failed = any(isinstance(answer, Exception) for answer in found)
        self.batches.append(BatchRecord(len(batch), sum(map(len, texts)), failed))
        if not alone:
            _answer(batch, found)
        for call in alone:
            await self._run([call])


def _answer(batch: list[_Call], found: Sequence[list[Entity] | Exception]) -> None:
    for call, answer in zip(batch, found, strict=True):
        if call.answer.done():  # a caller that cancelled does not wait
            continue
        if isinstance(answer, Exception):
            call.answer.set_exception(answer)
        else:
            call.answer.set_result(answer)

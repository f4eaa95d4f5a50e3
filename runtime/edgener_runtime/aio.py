"""The classifier for asyncio: calls that wait at the same time run together."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Literal, overload

from edgener_runtime.decoding.entity import PLAIN, Decoding, Entity

from .errors import EdgenerError
from .pipeline import OF_ONE_TEXT, Answer, TokenClassifier


@dataclass(frozen=True)
class BatchRecord:
    """One batch that ran: texts in it, characters of them, and whether it failed or one of its texts did."""

    texts: int
    characters: int
    failed: bool = False


@dataclass(frozen=True, eq=False)
class RunningBatch:
    """The batch that runs: texts in it, and characters of them."""

    texts: int
    characters: int


@dataclass
class _Call:
    """A text that waits for a batch."""

    text: str
    decoding: Decoding
    answer: asyncio.Future[list[Entity]] = field(repr=False)


class AsyncTokenClassifier:
    """Micro-batches for a TokenClassifier: texts that arrive while a batch runs form the next, in order of arrival.

    A batch waits up to `max_wait` seconds for more texts, unless it has `max_characters`. A text that fails does not
    fail the others of its batch. An async context manager, which answers all accepted texts before it closes the
    classifier. For use from one event loop.
    """

    def __init__(self, classifier: TokenClassifier, max_wait: float = 0, max_characters: int = 8192) -> None:
        self.classifier = classifier
        self.max_wait = max_wait
        self.max_characters = max_characters
        self.batches: deque[BatchRecord] = deque(maxlen=1024)  # the latest, for metrics
        self.running: RunningBatch | None = None  # for a watchdog
        self._waiting: deque[_Call] = deque()
        self._running: list[_Call] = []
        self._arrived = asyncio.Event()
        self._closing = False
        self._thread = ThreadPoolExecutor(1, "edgener-batch")
        self._worker: asyncio.Task[None] | None = None

    @property
    def pending(self) -> int:
        """Texts accepted and not yet answered."""
        return len(self._waiting) + sum(not call.answer.done() for call in self._running)

    async def predict(self, text: str, decoding: Decoding = PLAIN) -> list[Entity]:
        """The entities of one text, which runs in a batch with other texts. Raises what the classifier raises."""
        return await self._accept(text, decoding)

    @overload
    async def predict_batch(
        self, texts: Iterable[str], decoding: Decoding = PLAIN, return_errors: Literal[False] = False
    ) -> list[list[Entity]]: ...

    @overload
    async def predict_batch(
        self, texts: Iterable[str], decoding: Decoding = PLAIN, *, return_errors: bool
    ) -> list[Answer]: ...

    async def predict_batch(
        self, texts: Iterable[str], decoding: Decoding = PLAIN, return_errors: bool = False
    ) -> list[list[Entity]] | list[Answer]:
        """The entities of each text, in the texts' order; all texts are accepted before anything else runs.

        With `return_errors`, a text that fails has its error in place of entities; otherwise that is raised.
        """
        answers = [self._accept(text, decoding) for text in texts]
        return list(await asyncio.gather(*[_or_error(answer) if return_errors else answer for answer in answers]))

    async def stream(
        self, texts: AsyncIterable[str], decoding: Decoding = PLAIN, look_ahead: int = 64
    ) -> AsyncIterator[list[Entity]]:
        """The entities of each text, in the texts' order; at most `look_ahead` texts wait at once."""
        queue: asyncio.Queue[asyncio.Future[list[Entity]] | None] = asyncio.Queue(look_ahead)
        feeder = asyncio.create_task(self._feed(texts, decoding, queue))
        try:
            while answer := await queue.get():
                yield await answer
        finally:
            feeder.cancel()
            while not queue.empty():
                if answer := queue.get_nowait():
                    answer.cancel()

    def _accept(self, text: str, decoding: Decoding) -> asyncio.Future[list[Entity]]:
        """Queue a text; the future of its entities."""
        if self._closing:
            raise EdgenerError("the classifier is closing and takes no more texts")
        self._worker = self._worker or asyncio.create_task(self._work())
        call = _Call(text, decoding, asyncio.get_running_loop().create_future())
        self._waiting.append(call)
        self._arrived.set()
        return call.answer

    async def _feed(
        self, texts: AsyncIterable[str], decoding: Decoding, queue: asyncio.Queue[asyncio.Future[list[Entity]] | None]
    ) -> None:
        """Queue the future of each text in order, what `texts` raises, and None at the end."""
        try:
            async for text in texts:
                await queue.put(asyncio.create_task(self.predict(text, decoding)))
        except Exception as error:  # noqa: BLE001 - the reader of the stream gets it
            failed: asyncio.Future[list[Entity]] = asyncio.get_running_loop().create_future()
            failed.set_exception(error)
            await queue.put(failed)
        await queue.put(None)

    async def close(self) -> None:
        """Answer the accepted texts, then free the model."""
        self._closing = True
        self._arrived.set()
        if self._worker:
            await self._worker
        self._thread.shutdown()
        self.classifier.close()

    async def __aenter__(self) -> AsyncTokenClassifier:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()

    async def _work(self) -> None:
        """Run batches until the classifier is closed and no text waits."""
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
        while sum(len(call.text) for call in self._waiting) < self.max_characters and not self._closing:
            self._arrived.clear()
            try:
                await asyncio.wait_for(self._arrived.wait(), deadline - asyncio.get_running_loop().time())
            except asyncio.TimeoutError:  # another class than TimeoutError before Python 3.11
                return

    def _next_batch(self) -> list[_Call]:
        """The first waiting texts with the same decoding, as many as fit; cancelled ones are left out."""
        batch: list[_Call] = []
        characters = 0
        while self._waiting:
            call = self._waiting[0]
            full = characters + len(call.text) > self.max_characters
            if batch and (full or call.decoding != batch[0].decoding):
                break
            self._waiting.popleft()
            if not call.answer.cancelled():
                batch.append(call)
                characters += len(call.text)
        return batch

    async def _run(self, batch: list[_Call]) -> None:
        """Answer a batch; where it fails as a whole, run each text alone, so that one does not fail the others."""
        if not batch:
            return
        loop = asyncio.get_running_loop()
        texts = [call.text for call in batch]
        run = partial(self.classifier.predict_batch, texts, batch[0].decoding, return_errors=True)
        alone: list[_Call] = []
        found: Sequence[Answer | Exception]
        self.running = RunningBatch(len(texts), sum(map(len, texts)))
        try:
            found = await loop.run_in_executor(self._thread, run)
        except Exception as error:  # noqa: BLE001 - the caller gets it
            found, alone = [error], batch if len(batch) > 1 else []
        self.running = None
        failed = any(isinstance(answer, Exception) for answer in found)
        self.batches.append(BatchRecord(len(batch), sum(map(len, texts)), failed))
        if not alone:
            _answer(batch, found)
        for call in alone:
            await self._run([call])


async def _or_error(answer: asyncio.Future[list[Entity]]) -> Answer:
    try:
        return await answer
    except OF_ONE_TEXT as error:
        return error


def _answer(batch: list[_Call], found: Sequence[Answer | Exception]) -> None:
    for call, answer in zip(batch, found, strict=True):
        if call.answer.done():  # a caller that cancelled does not wait
            continue
        if isinstance(answer, Exception):
            call.answer.set_exception(answer)
        else:
            call.answer.set_result(answer)

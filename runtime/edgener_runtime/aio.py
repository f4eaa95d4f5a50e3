"""The classifier for asyncio: calls that wait at the same time run together."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Hashable, Iterable, Sequence
from typing import Literal, overload

from edgener_runtime.decoding.entity import PLAIN, Decoding, Entity
from edgener_runtime.inference.micro_batches import BatchRecord, MicroBatches, RunningBatch
from edgener_runtime.text.chunks import checked

from .errors import EdgenerError
from .pipeline import OF_ONE_TEXT, Answer, TokenClassifier

__all__ = ("AsyncTokenClassifier", "BatchRecord", "RunningBatch", "is_long")
LONG = 2048  # characters of a request, about a window of subwords; with more, it does not run with short ones


def is_long(texts: Sequence[str]) -> bool:
    """Whether a request of these texts runs beside short requests, and not in one batch with them."""
    return sum(map(len, texts)) > LONG


class AsyncTokenClassifier:
    """Micro-batches for a TokenClassifier: texts that arrive while a batch runs form the next.

    A batch waits up to `max_wait` seconds for more texts, unless it has `max_characters`. It has texts of all clients
    and of all their requests by equal shares, and requests of more than 2,048 characters run beside the short ones, so
    that none holds up the others. A text that fails does not fail the others of its batch. An async context manager,
    which answers all accepted texts before it closes the classifier. For use from one event loop.
    """

    def __init__(self, classifier: TokenClassifier, max_wait: float = 0, max_characters: int = 8192) -> None:
        self.classifier = classifier
        self.max_characters = max_characters
        self.batches: deque[BatchRecord] = deque(maxlen=1024)  # the latest, for metrics
        self._closing = self._abandoned = False
        self._short, self._long = (
            MicroBatches(classifier.predict_batch, max_wait, max_characters, self.batches) for _ in range(2)
        )

    @property
    def running(self) -> RunningBatch | None:
        """The batch that has run for longest, for a watchdog."""
        running = [queue.running for queue in (self._short, self._long) if queue.running]
        return min(running, key=lambda batch: batch.began, default=None)

    @property
    def pending(self) -> int:
        """Texts accepted and not yet answered."""
        return self._short.pending + self._long.pending

    async def predict(self, text: str, decoding: Decoding = PLAIN) -> list[Entity]:
        """The entities of one text, which runs in a batch with other texts. Raises what the classifier raises."""
        return await self._accept([text], decoding)[0]

    @overload
    async def predict_batch(
        self,
        texts: Iterable[str],
        decoding: Decoding = PLAIN,
        return_errors: Literal[False] = False,
        client: Hashable = None,
    ) -> list[list[Entity]]: ...

    @overload
    async def predict_batch(
        self, texts: Iterable[str], decoding: Decoding = PLAIN, *, return_errors: bool, client: Hashable = None
    ) -> list[Answer]: ...

    async def predict_batch(
        self, texts: Iterable[str], decoding: Decoding = PLAIN, return_errors: bool = False, client: Hashable = None
    ) -> list[list[Entity]] | list[Answer]:
        """The entities of each text, in the texts' order; all texts are accepted before anything else runs.

        With `return_errors`, a text that fails has its error in place of entities; otherwise that is raised. Calls
        of one `client` share its turns; without one, a call has turns of its own.
        """
        answers = self._accept(texts, decoding, client)
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

    def _accept(
        self, texts: Iterable[str], decoding: Decoding, client: Hashable = None
    ) -> list[asyncio.Future[list[Entity]]]:
        """Queue the texts of a request; the future of each one's entities."""
        if self._closing:
            raise EdgenerError("the classifier is closing and takes no more texts")
        request = list(checked(texts))
        return (self._long if is_long(request) else self._short).accept(request, decoding, client)

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
        await asyncio.gather(self._short.close(), self._long.close())
        if not self._abandoned:
            self.classifier.close()

    def abandon(self) -> None:
        """Fail the accepted texts, and leave a run that does not return to itself, with the model that it uses."""
        self._closing = self._abandoned = True
        self._short.abandon()
        self._long.abandon()

    async def __aenter__(self) -> AsyncTokenClassifier:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()


async def _or_error(answer: asyncio.Future[list[Entity]]) -> Answer:
    try:
        return await answer
    except OF_ONE_TEXT as error:
        return error

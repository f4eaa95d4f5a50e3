"""How many subwords this machine answers in time, measured at the start and after refusals, and how many wait."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

from edgener_runtime.aio import AsyncTokenClassifier, is_long
from edgener_runtime.errors import EdgenerError
from edgener_runtime.services.http.error_responses import RequestError
from edgener_runtime.text.chunks import ProbeText

_SENTENCE, _SUBWORDS = "Pump P-101 leaks at the seal. ", 8  # about
_MOST = 2048  # subwords of a run: on a slow device they take seconds
_SECONDS = 0.5  # of measurement, at least one run
_SHARE = 0.25  # of what the machine can do: short and long texts run beside each other, and half of it is a margin
_AGE = 10.0  # seconds before a refusal has it measured again
_FEW = 2048  # characters that are not counted in subwords, of which there are hardly more


@dataclass
class Capacity:
    """The subwords that may wait: as many short and as many long requests as can be answered in time.

    `share` is the part of the machine that the model may count on beside others. Texts are counted in a thread of its
    own, so that those of other models do not wait.
    """

    share: float = 1
    most: int | None = None  # None: unlimited
    _waiting: Counter[bool] = field(default_factory=Counter)
    _measured: float = 0
    _again: asyncio.Task[None] | None = None
    _thread: ThreadPoolExecutor = field(default_factory=partial(ThreadPoolExecutor, 1, "edgener-count"))

    async def measure(self, classifier: AsyncTokenClassifier, seconds: float) -> None:
        """Measure the model, and set the most subwords that can be answered within `seconds`."""
        measured = await self._measure(classifier, seconds)
        if self._again:  # it measures the model that this one replaces
            self._again.cancel()
        self.most = measured

    def measure_again(self, classifier: AsyncTokenClassifier, seconds: float) -> None:
        """Measure in the background, but seldom; from a request that is refused.

        Other work, as when the machine starts, only makes a measurement lower: the highest one counts.
        """
        if asyncio.get_running_loop().time() - self._measured >= _AGE and (self._again is None or self._again.done()):
            self._again = asyncio.create_task(self._raise(classifier, seconds))

    async def _raise(self, classifier: AsyncTokenClassifier, seconds: float) -> None:
        with contextlib.suppress(EdgenerError):  # it is being closed, or fails: its requests say so
            measured = await self._measure(classifier, seconds)
            self.most = max(measured, self.most or 0)

    async def _measure(self, classifier: AsyncTokenClassifier, seconds: float) -> int:
        windows = 2 * classifier.classifier.manifest.tokenizer.max_length  # subwords, so that each core has one
        text = ProbeText(_SENTENCE * (min(windows, _MOST) // _SUBWORDS + 1))
        subwords = await self._subwords(classifier, [text])
        clock = asyncio.get_running_loop().time
        begin, runs = clock(), 0
        while clock() - begin < _SECONDS:
            await classifier.predict(text)
            runs += 1
        self._measured = clock()
        return max(1, int(runs * subwords / (clock() - begin) * seconds * _SHARE * self.share))

    async def count(self, classifier: AsyncTokenClassifier, texts: Sequence[str]) -> int:
        """The subwords of texts, or their characters where these are few."""
        characters = sum(map(len, texts))
        if self.most is None or characters <= min(_FEW, self.most):
            return characters
        return await self._subwords(classifier, texts)

    async def _subwords(self, classifier: AsyncTokenClassifier, texts: Sequence[str]) -> int:
        count = classifier.classifier.count_subwords
        return await asyncio.get_running_loop().run_in_executor(self._thread, count, texts)

    async def close(self) -> None:
        """End its thread."""
        if self._again:
            self._again.cancel()
        await asyncio.to_thread(self._thread.shutdown)

    def has_room(self, texts: Sequence[str], subwords: int) -> bool:
        """Whether a request of so many subwords may wait."""
        return self.most is None or self._waiting[is_long(texts)] + subwords <= self.most

    @contextlib.contextmanager
    def hold(self, texts: Sequence[str], subwords: int) -> Iterator[None]:
        """Count the subwords of a request until it is answered.

        Raises RequestError: 413 where it has more than this machine answers in time, 429 where it has with those that
        wait.
        """
        long = is_long(texts)
        if not self.has_room(texts, subwords):
            raise self._refusal(long, subwords)
        self._waiting[long] += subwords
        try:
            yield
        finally:
            self._waiting[long] -= subwords

    def _refusal(self, long: bool, subwords: int) -> RequestError:
        if subwords > (self.most or 0):
            return RequestError(
                413,
                f"the request has {subwords} subwords, this machine answers at most {self.most} in time",
                "Send fewer texts at once, or start the server with a longer --timeout.",
            )
        return RequestError(
            429,
            f"{self._waiting[long]} subwords are pending, this machine answers at most {self.most} in time",
            "Try again.",
            {"Retry-After": "1"},
        )

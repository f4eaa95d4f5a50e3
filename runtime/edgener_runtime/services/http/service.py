"""The state that endpoints share: the classifier with its queue, the limits, the metrics, and whether it drains."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from starlette.requests import Request
from starlette.types import Receive

from edgener_runtime.aio import AsyncTokenClassifier
from edgener_runtime.decoding.entity import Decoding, Entity
from edgener_runtime.errors import EdgenerError, TextError
from edgener_runtime.pipeline import Answer

from .admission.body_budget import BodyMemory
from .admission.capacity import Capacity
from .error_responses import RequestError
from .limits import Limits
from .metrics import Metrics

_log = logging.getLogger(__name__)
_CLIENT_LEFT = 499  # nginx's status for a disconnected client; only the metrics show it
_CHECK = "Pump P-101 leaks"  # any text will do
_CHECK_AGE = 1.0  # seconds for which the answer of a check holds: anyone may ask for one


class Service:
    """A classifier that answers within limits. All calls must come from one event loop."""

    def __init__(self, classifier: AsyncTokenClassifier, limits: Limits) -> None:
        self.classifier = classifier
        self.limits = limits
        self._replaced: list[AsyncTokenClassifier] = []  # with texts that still wait
        self.metrics = Metrics(lambda: self.pending)
        self.metrics.use(classifier)
        self.bodies = BodyMemory(limits.bodies)
        self.capacity = Capacity()
        self._texts = 0  # of accepted requests
        self.draining = self.overdue = False
        self.accepted = self.answered = 0  # requests, for the log's last line
        self._check: asyncio.Future[list[Entity]] | None = None
        self._checked = 0.0

    async def start(self) -> None:
        """Run the model once, and measure how much it can answer in time. Raises what the model raises."""
        await self.check()
        await self.capacity.measure(self.classifier, self.limits.seconds)

    @property
    def model(self) -> str:
        """The name of the bundle."""
        return self.classifier.classifier.manifest.name

    @property
    def pending(self) -> int:
        """Texts accepted and not yet answered."""
        return sum(classifier.pending for classifier in (self.classifier, *self._replaced))

    async def use(self, fresh: AsyncTokenClassifier) -> None:
        """Answer with another classifier from now on, and close the old one once its texts are answered."""
        old = self.classifier
        if fresh.classifier.variant.file.sha256 != old.classifier.variant.file.sha256:
            await self.capacity.measure(fresh, self.limits.seconds)
        self._replaced.append(old)
        self.classifier = fresh
        self.metrics.use(fresh)
        await old.close()
        self._replaced.remove(old)

    async def close(self) -> None:
        """Answer the accepted texts, then free the model."""
        await self.classifier.close()

    @property
    def not_ready(self) -> str | None:
        """Why the server should get no requests, if so."""
        if self.draining:
            return "the server stops"
        return "a batch of the model is overdue" if self.overdue else None

    def set_overdue(self, overdue: bool) -> None:
        """Whether the model takes too long over a batch."""
        self.overdue = overdue
        self.metrics.overdue.set(overdue)

    async def check(self) -> None:
        """Run the model on a tiny text, whatever else waits. Raises what the model raises."""
        now = asyncio.get_running_loop().time()
        if self._check is None or (self._check.done() and now - self._checked > _CHECK_AGE):
            self._check = asyncio.ensure_future(self.classifier.predict(_CHECK))
            self._checked = now
        await asyncio.shield(self._check)

    async def check_within(self) -> None:
        """Run the model on a tiny text. Raises RequestError 503 where it fails or does not answer in time."""
        try:
            await asyncio.wait_for(self.check(), self.limits.seconds)
        except asyncio.TimeoutError:
            raise RequestError(503, f"the model did not answer a tiny text within {self.limits.seconds:g} s") from None
        except EdgenerError as error:
            raise RequestError(503, f"the model failed on a tiny text: {error.message}", error.hint) from None

    async def answer(self, texts: Sequence[str], decoding: Decoding, request: Request) -> list[Answer]:
        """The entities of each text, or the error of a text that fails while others are answered.

        Raises RequestError: 413 for texts that take too long, 429 for a full queue, 504 after the time-out, 499 where
        the client disconnects. Requests from one address share its turns.
        """
        subwords = await self.capacity.count(self.classifier, texts)
        with self._admitted(len(texts)), self.capacity.hold(texts, subwords):
            self.accepted += 1
            address = request.client.host if request.client else None
            answers = asyncio.ensure_future(self._answers(texts, decoding, address))
            left = asyncio.ensure_future(_disconnect(request.receive))
            try:
                done, _ = await asyncio.wait(
                    (answers, left), timeout=self.limits.seconds, return_when=asyncio.FIRST_COMPLETED
                )
            finally:  # texts that nobody waits for are not run
                given_up = answers.cancel()
                left.cancel()
                self.metrics.take_batches()
        if given_up and left in done:
            raise RequestError(_CLIENT_LEFT, "the client disconnected before its answer")
        self.answered += 1
        if not given_up:
            return answers.result()
        raise RequestError(
            504, f"no answer within {self.limits.seconds:g} s", "Send fewer or shorter texts, or try again later."
        )

    @contextmanager
    def _admitted(self, count: int) -> Iterator[None]:
        """Count the texts of a request until it is answered; all of them are accepted at once, or none."""
        pending = max(self._texts, self.pending)  # the model may still run texts that were given up
        if pending + count > self.limits.queue:
            raise RequestError(
                429,
                f"{pending} texts are pending, at most {self.limits.queue} are accepted",
                "Try again.",
                {"Retry-After": "1"},
            )
        self._texts += count
        try:
            yield
        finally:
            self._texts -= count

    async def _answers(self, texts: Sequence[str], decoding: Decoding, address: str | None) -> list[Answer]:
        """The answers. Raises the error of the first text where all fail, and not by a fault of theirs."""
        found = await self.classifier.predict_batch(texts, decoding, return_errors=True, client=address)
        errors = [answer for answer in found if isinstance(answer, EdgenerError)]
        broken = [error for error in errors if not isinstance(error, TextError)]
        if broken and len(broken) == len(found):  # not a fault of one text
            raise broken[0]
        if broken:
            _log.error("%d of %d texts without an answer: %s", len(broken), len(found), broken[0].message)
        return found


async def _disconnect(client: Receive) -> None:
    """Wait until the client disconnects; its body is already read."""
    while (await client())["type"] != "http.disconnect":
        pass

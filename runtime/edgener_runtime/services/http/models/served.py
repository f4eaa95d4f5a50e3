"""One model of the server: the classifier in use, the requests that wait for it, and whether it answers."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.types import Receive

from edgener_runtime.aio import AsyncTokenClassifier, BatchRecord
from edgener_runtime.decoding.entity import Decoding, Entity
from edgener_runtime.errors import EdgenerError, TextError
from edgener_runtime.pipeline import Answer
from edgener_runtime.services.http.admission.body_budget import BodyMemory
from edgener_runtime.services.http.admission.capacity import Capacity
from edgener_runtime.services.http.error_responses import RequestError
from edgener_runtime.services.http.limits import ConnectionLimits, Limits

if TYPE_CHECKING:
    from edgener_runtime.pipeline import TokenClassifier

_CLIENT_LEFT = 499  # nginx's status for a disconnected client; only the metrics show it
_CHECK = "Pump P-101 leaks"  # any text will do
_CHECK_AGE = 1.0  # seconds for which the answer of a check holds: anyone may ask for one
_OVERDUE = "a batch of the model is overdue"


@dataclass(frozen=True)
class ModelSource:
    """What opens a model's bundle, and the name it is served under; without one, it has that of its bundle."""

    load: Callable[[], TokenClassifier]
    name: str | None = None

    @contextmanager
    def naming(self) -> Iterator[None]:
        """Put the name, if there is one, before the message of an error."""
        try:
            yield
        except EdgenerError as error:
            if self.name:
                error.message = f"model {self.name!r}: {error.message}"
            raise


class ServedModel:
    """A classifier that answers within limits. All calls must come from one event loop.

    `share` is the part of the machine, of the memory for bodies and of the server's `connections` that it may count
    on. Raises what its source raises.
    """

    def __init__(
        self, source: ModelSource, limits: Limits, share: float = 1, connections: int = ConnectionLimits.most
    ) -> None:
        self.source = source
        self.limits = limits
        self.capacity = Capacity(share)
        self.most_requests = max(1, int(connections * share))
        self.bodies = BodyMemory(max(limits.body, int(limits.bodies * share)))
        self.classifier: AsyncTokenClassifier | None = None
        self.refusal: str | None = None  # why it has no classifier
        self.is_expected = True  # False once it was unloaded
        self.overdue = False
        self.accepted = self.answered = 0  # requests, for the log's last line
        self._replaced: list[AsyncTokenClassifier] = []  # with texts that still wait
        self._batches: deque[BatchRecord] = deque()  # of classifiers that are closed
        self._requests = self._texts = 0  # accepted, not yet answered
        self._check: asyncio.Future[list[Entity]] | None = None
        self._checked = 0.0
        with source.naming():
            self._adopt(AsyncTokenClassifier(source.load()))

    # --- what it is

    @property
    def name(self) -> str:
        """The name it is served under."""
        return self.source.name or self.bundle

    @property
    def title(self) -> str:
        """The model in a message: by name where the server was started with names."""
        return f"model {self.source.name!r}" if self.source.name else "the model"

    @property
    def log(self) -> logging.LoggerAdapter[logging.Logger]:
        """A log whose lines name the model where the server was started with names."""
        return _NamedLog(logging.getLogger(__name__), {"model": self.source.name})

    @property
    def summary(self) -> str:
        """What it runs, for the log."""
        model = self.in_use().classifier
        named = f"{self.source.name}: " if self.source.name else ""
        return f"{named}{self.bundle}, {model.variant.name} on {model.provider}"

    @property
    def pending(self) -> int:
        """Texts accepted and not yet answered."""
        return sum(classifier.pending for classifier in self._classifiers)

    @property
    def is_running(self) -> bool:
        """Whether a batch runs."""
        return any(classifier.running for classifier in self._classifiers)

    @property
    def not_ready(self) -> str | None:
        """Why it should get no requests, if so."""
        return self.refusal or (_OVERDUE if self.overdue else None)

    @property
    def not_ready_named(self) -> str | None:
        """The same, with its name where the server was started with names."""
        named = f"{self.title}: " if self.source.name else ""
        return f"{named}{self.not_ready}" if self.not_ready else None

    @property
    def _classifiers(self) -> list[AsyncTokenClassifier]:
        return [*self._replaced, *([self.classifier] if self.classifier else [])]

    def in_use(self) -> AsyncTokenClassifier:
        """The classifier in use. Raises RequestError 503 where there is none."""
        if self.classifier is None:
            raise RequestError(503, f"{self.title} is not available: {self.refusal}", "Try again once it is loaded.")
        return self.classifier

    def take_batches(self) -> Iterator[BatchRecord]:
        """Each batch that ran since the last call."""
        for batches in (self._batches, *(classifier.batches for classifier in self._classifiers)):
            while batches:
                yield batches.popleft()

    # --- which classifier it uses

    async def start(self) -> None:
        """Run the model once, and measure how much it can answer in time. Raises what the model raises."""
        with self.source.naming():
            await self.check()
            await self.capacity.measure(self.in_use(), self.limits.seconds)

    async def use(self, fresh: AsyncTokenClassifier) -> None:
        """Answer with another classifier from now on, and close the old one once its texts are answered."""
        if fresh.classifier.variant.file.sha256 != self._sha256:
            await self.capacity.measure(fresh, self.limits.seconds)
        old = self.classifier
        self._adopt(fresh)
        await self._drain(old)

    async def retire(self, reason: str) -> None:
        """Accept no more texts, and free the model once the accepted ones are answered."""
        old, self.classifier, self.refusal = self.classifier, None, reason
        await self._drain(old)

    def give_up(self, hanging: AsyncTokenClassifier) -> None:
        """Fail the texts of a classifier that does not return, and use it no more."""
        hanging.abandon()
        if hanging is self.classifier:
            self.classifier, self.refusal = None, "its batch did not return"
        else:
            self.overdue = False

    async def close(self) -> None:
        """Answer the accepted texts, then free the model."""
        if self.classifier:
            await self.classifier.close()
        await self.capacity.close()

    def _adopt(self, fresh: AsyncTokenClassifier) -> None:
        self.classifier, self.refusal = fresh, None
        self.is_expected, self.overdue = True, False
        self.bundle = fresh.classifier.manifest.name
        self.types = fresh.classifier.label_set.types
        self._sha256 = fresh.classifier.variant.file.sha256

    async def _drain(self, old: AsyncTokenClassifier | None) -> None:
        if old:
            self._replaced.append(old)
            await old.close()
            self._batches.extend(old.batches)
            self._replaced.remove(old)

    # --- whether it answers

    def set_overdue(self, overdue: bool) -> None:
        """Whether the model takes too long over a batch."""
        self.overdue = overdue

    async def check(self) -> None:
        """Run the model on a tiny text, whatever else waits. Raises what the model raises."""
        now = asyncio.get_running_loop().time()
        if self._check is None or (self._check.done() and now - self._checked > _CHECK_AGE):
            self._check = asyncio.ensure_future(self.in_use().predict(_CHECK))
            self._checked = now
        await asyncio.shield(self._check)

    async def check_within(self) -> None:
        """Run the model on a tiny text. Raises RequestError 503 where it fails or does not answer in time."""
        seconds = self.limits.seconds
        try:
            await asyncio.wait_for(self.check(), seconds)
        except asyncio.TimeoutError:
            raise RequestError(503, f"{self.title} did not answer a tiny text within {seconds:g} s") from None
        except EdgenerError as error:
            raise RequestError(503, f"{self.title} failed on a tiny text: {error.message}", error.hint) from None

    async def answer(self, texts: Sequence[str], decoding: Decoding, request: Request) -> list[Answer]:
        """The entities of each text, or the error of a text that fails while others are answered.

        Raises RequestError: 413 for texts that take too long, 429 for a full queue, 503 for too many bytes and where
        the model is not loaded, 504 after the time-out, 499 where the client disconnects. Requests from one address
        share its turns.
        """
        size = getattr(request.state, "body_bytes", 0)
        with self._admitted(len(texts)), self.bodies.hold(size):
            clock = asyncio.get_running_loop().time
            end = clock() + self.limits.seconds
            subwords = await self._subwords(texts)
            if not self.capacity.has_room(texts, subwords):
                self.capacity.measure_again(self.in_use(), self.limits.seconds)
            with self.capacity.hold(texts, subwords):
                return await self._within(end - clock(), texts, decoding, request)

    async def _subwords(self, texts: Sequence[str]) -> int:
        try:
            return await asyncio.wait_for(self.capacity.count(self.in_use(), texts), self.limits.seconds)
        except asyncio.TimeoutError:
            raise self._late() from None

    async def _within(self, seconds: float, texts: Sequence[str], decoding: Decoding, request: Request) -> list[Answer]:
        self.accepted += 1
        address = request.client.host if request.client else None
        answers = asyncio.ensure_future(self._answers(texts, decoding, address))
        left = asyncio.ensure_future(_disconnect(request.receive))
        try:
            done, _ = await asyncio.wait((answers, left), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:  # texts that nobody waits for are not run
            given_up = answers.cancel()
            left.cancel()
        if given_up and left in done:
            raise RequestError(_CLIENT_LEFT, "the client disconnected before its answer")
        self.answered += 1
        if not given_up:
            return answers.result()
        raise self._late()

    def _late(self) -> RequestError:
        hint = "Send fewer or shorter texts, or try again later."
        return RequestError(504, f"no answer within {self.limits.seconds:g} s", hint)

    @contextmanager
    def _admitted(self, count: int) -> Iterator[None]:
        """Count a request and its texts until it is answered; all of them are accepted at once, or none."""
        pending = max(self._texts, self.pending)  # the model may still run texts that were given up
        if pending + count > self.limits.queue:
            raise _too_many(f"{pending} texts are pending, at most {self.limits.queue} are accepted")
        if self._requests >= self.most_requests:
            raise _too_many(f"{self._requests} requests are pending, at most {self.most_requests} are accepted")
        self._requests += 1
        self._texts += count
        try:
            yield
        finally:
            self._requests -= 1
            self._texts -= count

    async def _answers(self, texts: Sequence[str], decoding: Decoding, address: str | None) -> list[Answer]:
        """The answers. Raises the error of the first text where all fail, and not by a fault of theirs."""
        try:
            found = await self.in_use().predict_batch(texts, decoding, return_errors=True, client=address)
        except EdgenerError:
            self.in_use()  # where the model was given up meanwhile, that is the answer
            raise
        errors = [answer for answer in found if isinstance(answer, EdgenerError)]
        broken = [error for error in errors if not isinstance(error, TextError)]
        if broken and len(broken) == len(found):  # not a fault of one text
            raise broken[0]
        if broken:
            self.log.error("%d of %d texts without an answer: %s", len(broken), len(found), broken[0].message)
        return found


class _NamedLog(logging.LoggerAdapter):  # type: ignore[type-arg]  # not generic before Python 3.11
    """A log whose lines begin with the name of a model, if it has one."""

    def process(self, msg: Any, kwargs: Any) -> tuple[Any, Any]:
        """The line with its name."""
        name = self.extra and self.extra["model"]
        return (f"{name}: {msg}" if name else msg), {**kwargs, "extra": self.extra}


def _too_many(message: str) -> RequestError:
    return RequestError(429, message, "Try again.", {"Retry-After": "1"})


async def _disconnect(client: Receive) -> None:
    """Wait until the client disconnects; its body is already read."""
    while (await client())["type"] != "http.disconnect":
        pass

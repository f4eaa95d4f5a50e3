"""One model of the server: the classifier in use, the requests that wait for it, and whether it answers."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator, Sequence
from functools import partial

from starlette.requests import Request

from edgener_runtime.aio import AsyncTokenClassifier, BatchRecord
from edgener_runtime.decoding.entity import Decoding, Entity
from edgener_runtime.errors import EdgenerError, TextError
from edgener_runtime.pipeline import Answer
from edgener_runtime.services.http.error_responses import RequestError
from edgener_runtime.services.http.limits import ConnectionLimits, Limits
from edgener_runtime.text.chunks import ProbeText

from .accepted import AcceptedRequests
from .source import ModelSource

_CHECK = ProbeText("Pump P-101 leaks")  # any text will do
_CHECK_AGE = 1.0  # seconds for which the answer of a check holds: anyone may ask for one
_OVERDUE = "a batch of the model is overdue"


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
        self.requests = AcceptedRequests(limits, share, connections)
        self.classifier: AsyncTokenClassifier | None = None
        self.refusal: str | None = None  # why it has no classifier
        self.is_expected = True  # False once it was unloaded
        self.overdue = False
        self.selftest_fault: str | None = None  # why its last selftest failed
        self._replaced: list[AsyncTokenClassifier] = []  # with texts that still wait
        self._batches: deque[BatchRecord] = deque()  # of classifiers that are closed
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
    def summary(self) -> str:
        """What it runs, for the log."""
        model = self.in_use().classifier
        named = f"{self.source.name}: " if self.source.name else ""
        return f"{named}{self.bundle}, {model.variant.name} on {model.provider}"

    @property
    def version(self) -> str:
        """The version of the bundle in use."""
        return self.in_use().classifier.manifest.version

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
        return self.refusal or (_OVERDUE if self.overdue else self.selftest_fault)

    @property
    def not_ready_named(self) -> str | None:
        """The same, with its name where the server was started with names."""
        named = f"{self.source.title}: " if self.source.name else ""
        return f"{named}{self.not_ready}" if self.not_ready else None

    @property
    def _classifiers(self) -> list[AsyncTokenClassifier]:
        return [*self._replaced, *([self.classifier] if self.classifier else [])]

    def in_use(self) -> AsyncTokenClassifier:
        """The classifier in use. Raises RequestError 503 where there is none."""
        if self.classifier is None:
            raise RequestError(
                503, f"{self.source.title} is not available: {self.refusal}", "Try again once it is loaded."
            )
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
            try:
                await self.check()
            except EdgenerError as error:
                self.source.trial.gave_up(self.version, f"it does not answer: {error.message}")
                raise
            await self.requests.capacity.measure(self.in_use(), self.limits.seconds)

    async def use(self, fresh: AsyncTokenClassifier) -> None:
        """Answer with another classifier from now on, and close the old one once its texts are answered."""
        if fresh.classifier.variant.file.sha256 != self._sha256:
            await self.requests.capacity.measure(fresh, self.limits.seconds)
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
        await self.requests.capacity.close()

    def _adopt(self, fresh: AsyncTokenClassifier) -> None:
        self.classifier, self.refusal = fresh, None
        self.is_expected, self.overdue, self.selftest_fault = True, False, None
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

    def set_selftest_fault(self, fault: str | None) -> None:
        """Why the selftest of the model fails, if so."""
        self.selftest_fault = fault

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
            raise RequestError(503, f"{self.source.title} did not answer a tiny text within {seconds:g} s") from None
        except EdgenerError as error:
            raise RequestError(503, f"{self.source.title} failed on a tiny text: {error.message}", error.hint) from None

    async def answer(self, texts: Sequence[str], decoding: Decoding, request: Request) -> list[Answer]:
        """The entities of each text, or the error of a text that fails while others are answered.

        Raises RequestError where there is no answer, with the status for it.
        """
        answers = partial(self._answers, texts, decoding, request)
        return await self.requests.answer(answers, texts, request, self.in_use(), self.pending)

    async def _answers(
        self, texts: Sequence[str], decoding: Decoding, request: Request, address: str | None
    ) -> list[Answer]:
        """The answers. Raises the error of the first text where all fail, and not by a fault of theirs."""
        classifier, version = self.in_use(), self.version
        request.state.bundle_version = version
        try:
            found = await classifier.predict_batch(texts, decoding, return_errors=True, client=address)
        except Exception as error:
            self.source.trial.failed(version, error)
            self.in_use()  # where the model was given up meanwhile, that is the answer
            raise
        errors = [answer for answer in found if isinstance(answer, EdgenerError)]
        broken = [error for error in errors if not isinstance(error, TextError)]
        if broken:
            self.source.trial.failed(version, broken[0])
        else:
            self.source.trial.succeeded(version)
        if broken and len(broken) == len(found):  # not a fault of one text
            raise broken[0]
        if broken:
            self.source.log.error("%d of %d texts without an answer: %s", len(broken), len(found), broken[0].message)
        return found

"""What every endpoint leans on: the classifier behind its queue, the limits, the metrics, and whether it goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from starlette.types import Receive

from edgener_runtime.aio import AsyncTokenClassifier
from edgener_runtime.decoding.entity import Decoding, Entity

from .error_responses import RequestError
from .limits import Limits
from .metrics import Metrics

_CLIENT_LEFT = 499  # as nginx has it; for the metrics, as nobody reads it


class Service:
    """A classifier that answers within limits. To be used from one event loop."""

    def __init__(self, classifier: AsyncTokenClassifier, limits: Limits) -> None:
        self.classifier = classifier
        self.limits = limits
        self.metrics = Metrics(classifier)
        self.model = classifier.classifier.manifest.name
        self.draining = False
        self.accepted = self.answered = 0  # requests, for the log's last line

    async def answer(self, texts: Sequence[str], decoding: Decoding, client: Receive) -> list[list[Entity]]:
        """The entities of each text.

        Raises RequestError: 429 where too many wait, 504 where it takes too long, 499 where `client` says that it left.
        """
        asked = asyncio.ensure_future(self._admitted(texts, decoding))
        left = asyncio.ensure_future(_departure(client))
        try:
            done, _ = await asyncio.wait(
                (asked, left), timeout=self.limits.seconds, return_when=asyncio.FIRST_COMPLETED
            )
        finally:  # what is not run yet is not run for nobody
            given_up = asked.cancel()
            left.cancel()
            self.metrics.take_batches()
        if not given_up:
            return asked.result()
        if left in done:
            raise RequestError(_CLIENT_LEFT, "the client left before its answer")
        raise RequestError(
            504, f"no answer within {self.limits.seconds:g} s", "Send fewer or shorter texts, or try again later."
        )

    async def _admitted(self, texts: Sequence[str], decoding: Decoding) -> list[list[Entity]]:
        """The answers; all texts join the queue before any other request is looked at, or none does."""
        if self.classifier.pending + len(texts) > self.limits.queue:
            raise RequestError(
                429,
                f"{self.classifier.pending} texts wait, at most {self.limits.queue} may",
                "Try again.",
                {"Retry-After": "1"},
            )
        self.accepted += 1
        found = await self.classifier.predict_batch(texts, decoding)
        self.answered += 1
        return found


async def _departure(client: Receive) -> None:
    """Wait until the client, whose body is read, leaves."""
    while (await client())["type"] != "http.disconnect":
        pass

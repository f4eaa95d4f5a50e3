"""The state that endpoints share: the classifier with its queue, the limits, the metrics, and whether it drains."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from starlette.types import Receive

from edgener_runtime.aio import AsyncTokenClassifier
from edgener_runtime.decoding.entity import Decoding
from edgener_runtime.errors import EdgenerError, TextError
from edgener_runtime.pipeline import Answer

from .error_responses import RequestError
from .limits import Limits
from .metrics import Metrics

_log = logging.getLogger(__name__)
_CLIENT_LEFT = 499  # nginx's status for a disconnected client; only the metrics show it


class Service:
    """A classifier that answers within limits. All calls must come from one event loop."""

    def __init__(self, classifier: AsyncTokenClassifier, limits: Limits) -> None:
        self.classifier = classifier
        self.limits = limits
        self.metrics = Metrics(classifier)
        self.model = classifier.classifier.manifest.name
        self.draining = False
        self.accepted = self.answered = 0  # requests, for the log's last line

    async def answer(self, texts: Sequence[str], decoding: Decoding, client: Receive) -> list[Answer]:
        """The entities of each text, or the error of a text that fails while others are answered.

        Raises RequestError: 429 for a full queue, 504 after the time-out, 499 where `client` disconnects.
        """
        answers = asyncio.ensure_future(self._admitted(texts, decoding))
        left = asyncio.ensure_future(_disconnect(client))
        try:
            done, _ = await asyncio.wait(
                (answers, left), timeout=self.limits.seconds, return_when=asyncio.FIRST_COMPLETED
            )
        finally:  # texts that nobody waits for are not run
            given_up = answers.cancel()
            left.cancel()
            self.metrics.take_batches()
        if not given_up:
            return answers.result()
        if left in done:
            raise RequestError(_CLIENT_LEFT, "the client disconnected before its answer")
        raise RequestError(
            504, f"no answer within {self.limits.seconds:g} s", "Send fewer or shorter texts, or try again later."
        )

    async def _admitted(self, texts: Sequence[str], decoding: Decoding) -> list[Answer]:
        """The answers; either all texts of a request join the queue at once, or none."""
        if self.classifier.pending + len(texts) > self.limits.queue:
            raise RequestError(
                429,
                f"{self.classifier.pending} texts are pending, at most {self.limits.queue} are accepted",
                "Try again.",
                {"Retry-After": "1"},
            )
        self.accepted += 1
        found = await self.classifier.predict_batch(texts, decoding, return_errors=True)
        errors = [answer for answer in found if isinstance(answer, EdgenerError)]
        broken = [error for error in errors if not isinstance(error, TextError)]
        if broken and len(broken) == len(found):  # not a fault of one text
            raise broken[0]
        for error in broken:
            _log.error("a text of %d has no answer: %s", len(found), error.message)
        self.answered += 1
        return found


async def _disconnect(client: Receive) -> None:
    """Wait until the client disconnects; its body is already read."""
    while (await client())["type"] != "http.disconnect":
        pass

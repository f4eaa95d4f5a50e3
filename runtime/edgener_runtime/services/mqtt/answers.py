"""From a message that came to the letter that answers it."""

from __future__ import annotations

from dataclasses import dataclass, field

from edgener_runtime.aio import AsyncTokenClassifier
from edgener_runtime.decoding.entity import PLAIN, Decoding
from edgener_runtime.errors import UserInputError

from .broker import Topics, is_topic
from .messages import Arrival, Letter, Poison, answer, dead_letter, read_request

GIVE_UP = 5  # connections that ended on the same message
_PROBE = "probe"  # any text will do


class Refused(Exception):  # noqa: N818 - the broker's word
    """A letter that the broker does not take; `too_large` where it is for its size."""

    def __init__(self, reason: str, too_large: bool = False) -> None:
        super().__init__(reason)
        self.too_large = too_large


@dataclass
class Answerer:
    """Answers messages with a classifier; those it cannot answer become dead letters."""

    classifier: AsyncTokenClassifier
    topics: Topics
    decoding: Decoding = PLAIN
    max_bytes: int = 65536
    _losses: dict[str, int] = field(default_factory=dict)

    async def probe(self) -> None:
        """Answer any text. Raises what the classifier raises where it fails on every text, EdgenerError."""
        await self.classifier.predict(_PROBE, self.decoding)

    async def letter(self, arrival: Arrival) -> Letter:
        """The answer to a message, or the dead letter. Raises EdgenerError where the model fails on any text."""
        losses = self._losses.get(arrival.key, 0)
        if losses >= 2 * GIVE_UP:
            return self._dead_without_payload(arrival)
        try:
            if losses >= GIVE_UP:
                raise Poison("refused", f"{losses} times the broker ended the connection instead of taking the answer")
            return await self._answer(arrival)
        except Poison as poison:
            return self._dead(arrival, poison)

    def lost_with(self, arrival: Arrival) -> None:
        """Remember that a connection ended while this message's answer was the next to be confirmed.

        Some brokers end it where they refuse a letter: over its size, or a topic that may not be written.
        """
        self._losses[arrival.key] = self._losses.get(arrival.key, 0) + 1

    def confirmed(self) -> None:
        """Forget what was remembered: the broker takes letters."""
        self._losses.clear()

    def instead(self, arrival: Arrival, letter: Letter, refused: Refused) -> Letter:
        """What to publish in place of a letter that the broker refused.

        Raises UserInputError where the bridge may not write to a topic of its own.
        """
        dead = letter.topic == self.topics.dead_letters
        if refused.too_large and dead and len(letter.payload) > len(self._dead_without_payload(arrival).payload):
            return self._dead_without_payload(arrival)
        if dead or (letter.topic == self.topics.answers and not refused.too_large):
            raise UserInputError(
                f"the broker takes nothing on {letter.topic}: {refused}", "Let the bridge's user write there."
            )
        return self._dead(arrival, Poison("refused", f"the broker refused the answer on {letter.topic}: {refused}"))

    async def _answer(self, arrival: Arrival) -> Letter:
        request = read_request(arrival.payload, self.max_bytes)
        self._check(arrival.response_topic)
        try:
            entities = await self.classifier.predict(request.text, self.decoding)
        except Exception as error:  # noqa: BLE001 - whatever a text makes the model raise, the next text may be sound
            await self.probe()
            raise Poison("model-failed", f"the model fails on this text: {error}") from None
        return answer(arrival, self.topics.answers, request, entities)

    def _check(self, response_topic: str | None) -> None:
        if response_topic is None:
            return
        if not is_topic(response_topic) or self.topics.are_requests(response_topic):
            raise Poison("response-topic", f"no answer can go to the response topic {response_topic!r}")

    def _dead(self, arrival: Arrival, poison: Poison) -> Letter:
        return dead_letter(arrival, self.topics.dead_letters, poison, self.max_bytes)

    def _dead_without_payload(self, arrival: Arrival) -> Letter:
        poison = Poison("refused", "the broker takes neither an answer nor a dead letter of this size")
        return dead_letter(arrival, self.topics.dead_letters, poison, most=0)

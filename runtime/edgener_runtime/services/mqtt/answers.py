"""Answers to incoming messages: entities, or a dead letter where no answer is possible."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from edgener_runtime.aio import AsyncTokenClassifier
from edgener_runtime.decoding.entity import PLAIN, Decoding
from edgener_runtime.errors import UserInputError
from edgener_runtime.services.trial import BundleTrial
from edgener_runtime.text.chunks import ProbeText

from .broker import Topics
from .messages import IncomingMessage, OutgoingMessage, PoisonMessageError, answer, dead_letter, read_request

GIVE_UP = 5  # lost connections on the same message before the bridge stops answering it
_SHOWN = 100  # characters or bytes of what a sender can make long
_PROBE = ProbeText("probe")  # any text will do


class PublishRefusedError(Exception):
    """A message that the broker refused to accept; `too_large` where its size was the reason."""

    def __init__(self, reason: str, too_large: bool = False) -> None:
        super().__init__(reason)
        self.too_large = too_large


@dataclass
class Answerer:
    """Answers messages with a classifier; a message without an answer becomes a dead letter."""

    classifier: AsyncTokenClassifier
    topics: Topics
    decoding: Decoding = PLAIN
    max_bytes: int = 65536
    trial: BundleTrial = field(default_factory=BundleTrial)
    _losses: dict[str, int] = field(default_factory=dict)

    def ended_at(self, arrival: IncomingMessage) -> OutgoingMessage:
        """The dead letter of a message at which the process has ended."""
        return self._dead(arrival, PoisonMessageError("process-ended", "the process ended each time at this text"))

    def give_up(self, arrival: IncomingMessage) -> OutgoingMessage:
        """The dead letter of a message whose text the model does not return from."""
        return self._dead(arrival, PoisonMessageError("model-hangs", "the model does not return from this text"))

    async def probe(self) -> None:
        """Answer one text to test the classifier. Raises EdgenerError where it fails on every text."""
        await self.classifier.predict(_PROBE, self.decoding)

    async def reply(self, arrival: IncomingMessage) -> OutgoingMessage:
        """The answer to a message, or its dead letter. Raises EdgenerError where the model fails on every text."""
        losses = self._losses.get(arrival.key, 0)
        if losses >= 2 * GIVE_UP:
            return self._smallest_dead(arrival)
        try:
            if losses >= GIVE_UP:
                raise PoisonMessageError(
                    "refused", f"{losses} times the broker ended the connection instead of taking the answer"
                )
            return await self._answer(arrival)
        except PoisonMessageError as poison:
            return self._dead(arrival, poison)

    def lost_with(self, arrival: IncomingMessage) -> None:
        """Record that a connection ended while the answer to this message was the next to be confirmed.

        Some brokers end the connection to refuse a message: for its size, or for a topic without write permission.
        """
        self._losses[arrival.key] = self._losses.get(arrival.key, 0) + 1

    def confirmed(self) -> None:
        """Clear the record of lost connections: the broker accepts messages."""
        self._losses.clear()

    def replacement(
        self, arrival: IncomingMessage, message: OutgoingMessage, refused: PublishRefusedError
    ) -> OutgoingMessage:
        """The message to publish in place of one that the broker refused.

        Raises UserInputError where the bridge has no permission to write to one of its own topics.
        """
        dead = message.topic == self.topics.dead_letters
        if refused.too_large and dead and message != (smallest := self._smallest_dead(arrival)):
            return smallest
        if dead or (message.topic == self.topics.answers and not refused.too_large):
            raise UserInputError(
                f"the broker takes nothing on {message.topic}: {refused}", "Let the bridge's user write there."
            )
        return self._dead(
            arrival, PoisonMessageError("refused", f"the broker refused the answer on {message.topic}: {refused}")
        )

    async def _answer(self, arrival: IncomingMessage) -> OutgoingMessage:
        text = read_request(arrival, self.max_bytes)
        self._check(arrival.response_topic)
        classifier, version = self.classifier, self.classifier.classifier.manifest.version
        try:
            entities = await classifier.predict(text, self.decoding)
            self.trial.succeeded(version)
            return answer(arrival, self.topics.answers, entities, version)
        except Exception as error:  # noqa: BLE001 - the model may raise anything on one text and answer the next
            self.trial.failed(version, error)
            await self.probe()
            raise PoisonMessageError("model-failed", f"the model fails on this text: {error}") from None

    def _check(self, response_topic: str | None) -> None:
        if response_topic is not None and (why := self.topics.refusal(response_topic)):
            raise PoisonMessageError("response-topic", f"no answer can go to {response_topic[:_SHOWN]!r}: {why}")

    def _dead(self, arrival: IncomingMessage, poison: PoisonMessageError) -> OutgoingMessage:
        return dead_letter(arrival, self.topics.dead_letters, poison, self.max_bytes)

    def _smallest_dead(self, arrival: IncomingMessage) -> OutgoingMessage:
        """Without the payload, and without what else the sender can make long."""
        poison = PoisonMessageError("refused", "the broker takes neither an answer nor a dead letter of this size")
        letter = dead_letter(
            replace(arrival, topic=arrival.topic[:_SHOWN]), self.topics.dead_letters, poison, most=0, key=arrival.key
        )
        return letter if len(letter.correlation or b"") <= _SHOWN else replace(letter, correlation=None)

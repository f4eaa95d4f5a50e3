"""What is published for a message, without a broker: what was refused, and what ended connections."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

pytest.importorskip("paho", reason="the extra mqtt is not installed")

from edgener_runtime import DeviceError, TokenClassifier, UserInputError
from edgener_runtime.aio import AsyncTokenClassifier
from edgener_runtime.services.mqtt.answers import GIVE_UP, Answerer, PublishRefusedError
from edgener_runtime.services.mqtt.broker import Topics
from edgener_runtime.services.mqtt.messages import IncomingMessage, OutgoingMessage
from edgener_runtime.services.trial import BundleTrial

ARRIVAL = IncomingMessage("in", b'{"text": "oil leak"}', correlation=b"7")


@pytest.fixture
def answerer(classifier: TokenClassifier) -> Answerer:
    return Answerer(AsyncTokenClassifier(classifier), Topics("in", "out", "dead", "status"))


def reply(answerer: Answerer, arrival: IncomingMessage = ARRIVAL) -> OutgoingMessage:
    async def main() -> OutgoingMessage:
        answerer.classifier = AsyncTokenClassifier(answerer.classifier.classifier)  # one loop each
        return await answerer.reply(arrival)

    return asyncio.run(main())


def record(message: OutgoingMessage) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(message.payload)
    return found


def test_a_message_that_keeps_ending_connections_becomes_a_dead_letter_and_then_one_without_its_payload(
    answerer: Answerer,
) -> None:
    replies = []
    for _ in range(2 * GIVE_UP + 1):
        replies.append(reply(answerer))
        answerer.lost_with(ARRIVAL)
    assert [one.topic for one in replies] == ["out"] * GIVE_UP + ["dead"] * (GIVE_UP + 1)
    assert [record(one)["payload"] for one in replies[GIVE_UP:]] == ['{"text": "oil leak"}'] * GIVE_UP + [""]
    assert {record(one)["reason"] for one in replies[GIVE_UP:]} == {"refused"}


def test_a_letter_that_is_taken_clears_the_suspicion(answerer: Answerer) -> None:
    for _ in range(GIVE_UP):
        answerer.lost_with(ARRIVAL)
    answerer.confirmed()
    assert reply(answerer).topic == "out"


def test_other_messages_are_not_suspected(answerer: Answerer) -> None:
    for _ in range(GIVE_UP):
        answerer.lost_with(ARRIVAL)
    assert reply(answerer, IncomingMessage("in", b'{"text": "pump"}')).topic == "out"


def test_a_topic_of_the_bridge_that_may_not_be_written_is_an_error_for_the_user(answerer: Answerer) -> None:
    for topic in ("out", "dead"):
        with pytest.raises(UserInputError, match=f"the broker takes nothing on {topic}: Not authorized"):
            answerer.replacement(ARRIVAL, OutgoingMessage(topic, b"{}"), PublishRefusedError("Not authorized"))


def test_a_refused_response_topic_is_a_dead_letter(answerer: Answerer) -> None:
    dead = answerer.replacement(ARRIVAL, OutgoingMessage("mine", b"{}"), PublishRefusedError("Not authorized"))
    assert (dead.topic, dead.correlation, record(dead)["reason"]) == ("dead", b"7", "refused")


def test_nothing_that_a_sender_can_make_long_makes_the_smallest_dead_letter_long(answerer: Answerer) -> None:
    too_large = PublishRefusedError("too large", too_large=True)
    arrival = IncomingMessage('in/"' * 15_000, b"{", correlation=b"7" * 60_000)
    smallest = answerer.replacement(arrival, reply(answerer, arrival), too_large)
    assert (smallest.topic, smallest.correlation, record(smallest)["key"]) == ("dead", None, arrival.key)
    assert len(smallest.payload) < 600
    with pytest.raises(UserInputError, match="takes nothing on dead"):
        answerer.replacement(arrival, smallest, too_large)


def test_what_is_too_large_is_a_dead_letter_then_one_without_its_payload_then_an_error(answerer: Answerer) -> None:
    too_large = PublishRefusedError("2000 bytes, it takes 1000", too_large=True)
    first = answerer.replacement(ARRIVAL, reply(answerer), too_large)
    second = answerer.replacement(ARRIVAL, first, too_large)
    assert (record(first)["payload"], record(second)["payload"]) == ('{"text": "oil leak"}', "")
    with pytest.raises(UserInputError, match="takes nothing on dead"):
        answerer.replacement(ARRIVAL, second, too_large)


class Counted(BundleTrial):
    """A trial that notes what it is to count."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[str, ...]] = []

    def succeeded(self, version: str) -> None:
        self.calls.append(("succeeded", version))

    def failed(self, version: str, error: Exception) -> None:
        self.calls.append(("failed", version, str(error)))


def test_answers_and_failures_count_for_the_trial_of_their_bundle(answerer: Answerer) -> None:
    answerer.trial = counted = Counted()
    model = answerer.classifier.classifier
    version = model.manifest.version
    assert record(reply(answerer))["bundle_version"] == version

    class Failing:
        manifest = model.manifest

        def predict_batch(self, texts: Any, *_: object, **__: object) -> Any:
            if any("oil" in text for text in texts):
                raise DeviceError("planted")
            return [[] for _ in texts]

    answerer.classifier = AsyncTokenClassifier(Failing())  # type: ignore[arg-type]
    assert reply(answerer).topic == "dead"
    reply(answerer, IncomingMessage("in", b"not JSON"))
    assert counted.calls == [("succeeded", version), ("failed", version, "planted")]

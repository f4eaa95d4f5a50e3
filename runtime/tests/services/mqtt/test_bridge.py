"""The bridge against real brokers: answers, dead letters, and what it does when the broker goes away."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("paho", reason="the extra mqtt is not installed")

from edgener_runtime import Decoding, TokenClassifier, UserInputError
from edgener_runtime.errors import DeviceError
from edgener_runtime.pipeline import Answer

TEXT = "Feed pump P-101: oil leak, 泵"


class Unsound:
    """The classifier, but some texts make it fail: those that hold `trigger`."""

    def __init__(self, classifier: TokenClassifier, trigger: str) -> None:
        self.classifier = classifier
        self.manifest = classifier.manifest
        self.observer = None
        self.trigger = trigger

    def predict_batch(self, texts: Iterable[str], decoding: Decoding, return_errors: bool) -> Sequence[Answer]:
        if any(self.trigger in text for text in texts):
            raise DeviceError("onnxruntime broke off: planted")
        return self.classifier.predict_batch(texts, decoding, return_errors=return_errors)


def test_a_text_is_answered_with_its_entities_and_the_fields_of_its_message(
    broker: Any, peer: Callable[..., Any], bridge: Callable[..., Any], classifier: TokenClassifier
) -> None:
    bridge(broker, decoding=Decoding(offsets="utf8"))
    asking = peer(broker)
    asking.ask({"text": TEXT, "order": {"no": 7, "at": 1.5}})
    answer = asking.record("out/entities")
    assert len(answer.pop("key")) == 64
    assert answer.pop("bundle_version") == classifier.manifest.version
    expected = [asdict(entity) for entity in classifier.predict(TEXT, Decoding(offsets="utf8"))]
    assert answer == {"text": TEXT, "order": {"no": 7, "at": 1.5}, "entities": expected}


def test_answers_come_in_the_order_of_the_messages(
    broker: Any, peer: Callable[..., Any], bridge: Callable[..., Any]
) -> None:
    bridge(broker)
    asking = peer(broker)
    for number in range(50):
        asking.ask({"text": "pump " * (50 - number), "id": number})
    assert [asking.record("out/entities")["id"] for _ in range(50)] == list(range(50))


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b'{"text": "oil leak', "not-json"),
        (b"\xff\xfe", "not-utf-8"),
        (b'{"message": "oil leak"}', "no-text"),
        (b'{"text": "%s"}' % (b"oil " * 100), "too-long"),
        (b'{"text": "a planted fault"}', "model-failed"),
    ],
)
def test_a_message_without_an_answer_is_a_dead_letter_and_the_next_is_answered(
    payload: bytes,
    reason: str,
    mosquitto: Callable[..., Any],
    peer: Callable[..., Any],
    bridge: Callable[..., Any],
    classifier: TokenClassifier,
) -> None:
    broker = mosquitto()
    bridge(broker, using=Unsound(classifier, "planted"), max_bytes=200)
    asking = peer(broker)
    asking.ask(payload, topic="in/line7")
    asking.ask({"text": "oil leak"})
    dead = asking.record("out/dead")
    assert (dead["reason"], dead["topic"], dead["bytes"]) == (reason, "in/line7", len(payload))
    assert asking.record("out/entities")["text"] == "oil leak"


def test_99_of_100_messages_are_answered_and_one_is_a_dead_letter(
    mosquitto: Callable[..., Any],
    peer: Callable[..., Any],
    bridge: Callable[..., Any],
    short_of_embeddings: Path,
    classifier: TokenClassifier,
) -> None:
    broker = mosquitto()
    texts = [f"oil leak at pump P-10{number}" if number != 29 else "泵 ZX-9" for number in range(100)]
    with TokenClassifier.load(short_of_embeddings, "cpu", "fp32") as short:
        bridge(broker, using=short)
        asking = peer(broker)
        for number, text in enumerate(texts):
            asking.ask({"text": text, "id": number})
        dead = asking.record("out/dead")
        found = {answer["id"]: answer["entities"] for answer in (asking.record("out/entities") for _ in range(99))}
    assert dead["reason"] == "model-failed"
    assert "embedding" in dead["message"]
    assert json.loads(dead["payload"]) == {"text": "泵 ZX-9", "id": 29}
    assert found == {number: rows(classifier, text) for number, text in enumerate(texts) if number != 29}


def rows(classifier: TokenClassifier, text: str) -> list[dict[str, Any]]:
    return [asdict(entity) | {"score": pytest.approx(entity.score, abs=1e-5)} for entity in classifier.predict(text)]


def test_a_model_that_fails_on_any_text_stops_the_bridge_and_the_message_stays(
    mosquitto: Callable[..., Any], peer: Callable[..., Any], bridge: Callable[..., Any], classifier: TokenClassifier
) -> None:
    broker = mosquitto()
    broken = Unsound(classifier, "oil leak")
    first = bridge(broker, using=broken)
    asking = peer(broker)
    asking.status("online")
    broken.trigger = ""  # as when the device is gone: the empty string is in every text
    asking.ask({"text": "oil leak"})
    with pytest.raises(DeviceError, match="planted"):
        first.join()
    asking.status("offline")
    bridge(broker)
    assert asking.record("out/entities")["text"] == "oil leak"
    assert "out/dead" not in asking.waiting


def test_an_answer_goes_where_its_request_says_with_its_correlation(
    mosquitto: Callable[..., Any], peer: Callable[..., Any], bridge: Callable[..., Any]
) -> None:
    broker = mosquitto()
    bridge(broker)
    asking = peer(broker)
    asking.ask({"text": "oil leak"}, ResponseTopic="mine", CorrelationData=b"\x007")
    assert asking.message("mine").properties.CorrelationData == b"\x007"


def test_a_response_topic_that_would_come_back_as_a_request_is_poison(
    mosquitto: Callable[..., Any], peer: Callable[..., Any], bridge: Callable[..., Any]
) -> None:
    broker = mosquitto()
    bridge(broker)
    asking = peer(broker)
    asking.ask({"text": "oil leak"}, ResponseTopic="in/text", CorrelationData=b"7")
    message = asking.message("out/dead")
    assert b'"response-topic"' in message.payload
    assert message.properties.CorrelationData == b"7"


def test_an_answer_too_large_for_the_broker_is_a_dead_letter(
    mosquitto: Callable[..., Any], peer: Callable[..., Any], bridge: Callable[..., Any]
) -> None:
    broker = mosquitto("allow_anonymous true", "max_packet_size 1000")
    bridge(broker)
    asking = peer(broker)
    asking.ask({"text": "oil leak " * 20})  # so many entities are longer than their text
    assert asking.record("out/dead")["reason"] == "refused"
    asking.ask({"text": '"' * 480})  # and so is this as a dead letter
    dead = asking.record("out/dead")
    assert (dead["reason"], dead["payload"]) == ("refused", "")


# --- the broker goes away


def test_what_waits_while_the_broker_is_away_is_answered_when_it_is_back(
    mosquitto: Callable[..., Any], peer: Callable[..., Any], bridge: Callable[..., Any]
) -> None:
    broker = mosquitto()
    running = bridge(broker)
    asking = peer(broker)
    asking.status("online")
    broker.stop()
    asking.ask({"text": "oil leak"})
    broker.start()
    assert asking.record("out/entities")["text"] == "oil leak"
    running.stop()
    assert "the session was kept" in running.reports[-1]


def test_what_comes_while_the_bridge_is_away_is_answered_when_it_is_back(
    mosquitto: Callable[..., Any], peer: Callable[..., Any], bridge: Callable[..., Any]
) -> None:
    broker = mosquitto()
    first = bridge(broker)
    asking = peer(broker)
    asking.status("online")
    first.stop()
    asking.status("offline")
    asking.ask({"text": "oil leak"})
    bridge(broker)
    assert asking.record("out/entities")["text"] == "oil leak"


def test_a_retained_request_is_answered_once_however_often_the_bridge_comes_back(
    mosquitto: Callable[..., Any], peer: Callable[..., Any], bridge: Callable[..., Any]
) -> None:
    broker = mosquitto()
    asking = peer(broker)
    asking.client.publish("in/text", b'{"text": "pump"}', 1, retain=True)
    bridge(broker).stop()
    bridge(broker)
    asking.ask({"text": "oil leak"})
    assert [asking.record("out/entities")["text"] for _ in range(2)] == ["pump", "oil leak"]


def test_no_more_than_the_window_is_held_and_all_is_answered(
    keeping_broker: Any, peer: Callable[..., Any], bridge: Callable[..., Any], classifier: TokenClassifier
) -> None:
    sizes: list[int] = []

    class Watched(Unsound):
        def predict_batch(self, texts: Iterable[str], decoding: Decoding, return_errors: bool) -> Sequence[Answer]:
            sizes.append(len(list(texts)))
            time.sleep(0.02)  # so that more come than are held
            return super().predict_batch(texts, decoding, return_errors)

    bridge(keeping_broker, using=Watched(classifier, "nothing"), window=3)
    asking = peer(keeping_broker)
    asking.status("online")
    for number in range(20):
        asking.ask({"text": "oil leak", "id": number})
    answered: set[int] = set()
    while len(answered) < 20:  # a broker that sends too many is asked again, and may send one twice
        answered.add(asking.record("out/entities")["id"])
    assert max(sizes) <= 3


def test_an_unknown_host_is_tried_again_and_reported(bridge: Callable[..., Any], mosquitto: Callable[..., Any]) -> None:
    running = bridge(mosquitto(), host="no-such-host.invalid")
    while len(running.reports) < 2:
        time.sleep(0.05)
    running.stop()
    assert all(
        line.startswith("cannot reach the broker at no-such-host.invalid:") and "trying again in 0." in line
        for line in running.reports
    )


def test_a_broker_that_is_not_there_yet_is_waited_for(
    mosquitto: Callable[..., Any], peer: Callable[..., Any], bridge: Callable[..., Any]
) -> None:
    broker = mosquitto()
    broker.stop()
    running = bridge(broker)
    broker.start()
    peer(broker).status("online")
    assert "Connection refused; trying again" in running.reports[0]


# --- the broker refuses


def test_an_answer_that_may_not_go_where_its_request_says_is_a_dead_letter(
    mosquitto: Callable[..., Any], peer: Callable[..., Any], bridge: Callable[..., Any], tmp_path: Any
) -> None:
    (tmp_path / "acl").write_text("user bridge\ntopic read in/#\ntopic write out/#\n\nuser peer\ntopic readwrite #\n")
    broker = mosquitto("allow_anonymous true", f"acl_file {tmp_path / 'acl'}")
    bridge(broker, username="bridge")
    asking = peer(broker)
    asking.ask({"text": "oil leak"}, ResponseTopic="mine")
    dead = asking.record("out/dead")
    assert dead["reason"] == "refused"
    asking.ask({"text": "oil leak"})
    assert asking.record("out/entities")["text"] == "oil leak"


def test_credentials_that_are_refused_end_the_bridge(mosquitto: Callable[..., Any], bridge: Callable[..., Any]) -> None:
    running = bridge(mosquitto("allow_anonymous false"), username="plant7", password="wrong")
    with pytest.raises(UserInputError, match="refuses client bridge: Not authorized"):
        running.join()


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ("topic read in/#\ntopic write out/status\ntopic write out/dead", "takes nothing on out/entities"),
        ("topic read in/#\ntopic write out/entities", "takes nothing on out/status"),
    ],
)
def test_topics_that_may_not_be_written_end_the_bridge(
    rules: str,
    message: str,
    mosquitto: Callable[..., Any],
    peer: Callable[..., Any],
    bridge: Callable[..., Any],
    tmp_path: Any,
) -> None:
    (tmp_path / "acl").write_text(f"user bridge\n{rules}\n\nuser peer\ntopic readwrite #\n")
    broker = mosquitto("allow_anonymous true", f"acl_file {tmp_path / 'acl'}")
    running = bridge(broker, username="bridge", client_id="bridge")
    asking = peer(broker)
    asking.ask({"text": "oil leak"})
    with pytest.raises(UserInputError, match=message):
        running.join()

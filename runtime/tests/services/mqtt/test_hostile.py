"""Messages made to break the bridge: each is answered or becomes a dead letter, and the next is answered."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("paho", reason="the extra mqtt is not installed")

NEXT = {"text": "oil leak at pump P-101", "id": "next"}
DEEP = [*range(940, 1010), 2000, 10_000]  # levels around Python's limit, less than which were open by then


def nested(levels: int, opening: str = "[", closing: str = "]") -> bytes:
    return ('{"text": "oil leak", "x": %s}' % (opening * levels + "1" + closing * levels)).encode()


def answered_and_dead(asking: Any, count: int) -> tuple[list[bytes], list[dict[str, Any]]]:
    """The answers and dead letters of `count` messages, and that the next one is answered."""
    asking.ask(NEXT)
    answers: list[bytes] = []
    while not answers or b'"id": "next"' not in answers[-1]:
        answers.append(asking.message("out/entities").payload)
    return answers[:-1], [asking.record("out/dead") for _ in range(count + 1 - len(answers))]


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}"), ('[{"a":', "}]")], ids=repr)
def test_nested_json_is_answered_as_it_came_or_a_dead_letter(
    opening: str, closing: str, keeping_broker: Any, peer: Callable[..., Any], bridge: Callable[..., Any]
) -> None:
    running = bridge(keeping_broker, max_bytes=200_000)
    asking = peer(keeping_broker)
    payloads = [nested(levels, opening, closing) for levels in DEEP]
    for payload in payloads:
        asking.ask(payload)
    answers, dead = answered_and_dead(asking, len(payloads))
    assert {answer.partition(b', "entities"')[0] + b"}" for answer in answers} <= set(payloads)
    assert {one["payload"].encode() for one in dead} <= set(payloads)
    assert {one["reason"] for one in dead} <= {"not-json"}
    running.stop()
    assert len(running.reports) == 1


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "not-json"),
        (b"\xef\xbb\xbf" + b'{"text": "pump"}', "not-json"),
        (b'{"text": "pump", "text": "leak"}', "not-json"),
        (b'{"text": "pump", "x": [{"a": 1, "a": 2}]}', "not-json"),
        (b'{"text": "pump", "x": %s}' % (b"9" * 10_000), "not-json"),
        (b'{"text": "pump", "x": -Infinity}', "not-json"),
        (b'{"text": "pump", "x": 1e400}', "not-json"),
        ('{"text": "泵"}'.encode("gb18030"), "not-utf-8"),
        ('{"text": "pump"}'.encode("utf-16"), "not-utf-8"),
        (b'{"text": "\xed\xa0\x80"}', "not-utf-8"),
        (b'{"text": ["pump"]}', "no-text"),
        (b'\x00{"text": "pump"}', "not-json"),
        (b'{"text": "pump\x00"}', "not-json"),
    ],
)
def test_what_is_not_a_request_is_a_dead_letter(
    payload: bytes, reason: str, mosquitto: Callable[..., Any], peer: Callable[..., Any], bridge: Callable[..., Any]
) -> None:
    broker = mosquitto()
    bridge(broker)
    asking = peer(broker)
    asking.ask(payload)
    answers, dead = answered_and_dead(asking, 1)
    assert (answers, [one["reason"] for one in dead]) == ([], [reason])


@pytest.mark.parametrize(
    "payload",
    [
        b'{"text": ""}',
        b' \t\r\n{ "text" : "pump" , "x" : 1.50 } \n\n',
        b'{"text": "\\u0000 pump \\ud83d"}',
        '{"text": "泵 P-101 漏油", "名": "\\u6cf5"}'.encode(),
        b'{"text": "pump", "x": 12345678901234567890.12345678901234567890, "y": 1E-400}',
        b'{"text": "pump", "x": "}"}',
    ],
)
def test_the_fields_of_an_answer_are_the_bytes_that_came(
    payload: bytes, mosquitto: Callable[..., Any], peer: Callable[..., Any], bridge: Callable[..., Any]
) -> None:
    broker = mosquitto()
    bridge(broker)
    asking = peer(broker)
    asking.ask(payload)
    answer = asking.message("out/entities").payload
    assert answer.startswith(payload.rstrip()[:-1].rstrip() + b', "entities": [')
    assert set(json.loads(payload)) | {"entities", "key", "bundle_version"} == set(json.loads(answer))


# --- properties of MQTT 5


@pytest.mark.parametrize(
    "properties",
    [
        {"UserProperty": [("a\ufeff", "\ufeffb")], "CorrelationData": b"7"},
        {"ContentType": "\ufeffapplication/json", "CorrelationData": b"7"},
        {"CorrelationData": b""},
        {"CorrelationData": bytes(range(256)) * 255},
        {"MessageExpiryInterval": 600, "PayloadFormatIndicator": 1, "UserProperty": [("a", "b")] * 20},
    ],
    ids=["bom-in-user-property", "bom-in-content-type", "empty-correlation", "long-correlation", "many"],
)
def test_properties_that_mqtt_allows_are_taken(
    properties: dict[str, Any], mosquitto: Callable[..., Any], peer: Callable[..., Any], bridge: Callable[..., Any]
) -> None:  # fmt: skip
    broker = mosquitto()
    running = bridge(broker)
    asking = peer(broker)
    asking.ask({"text": "oil leak"}, **properties)
    message = asking.message("out/entities")
    assert getattr(message.properties, "CorrelationData", None) == properties.get("CorrelationData")
    assert len(running.reports) == 1


def test_thousands_of_properties_do_not_hold_the_bridge(
    mosquitto: Callable[..., Any], peer: Callable[..., Any], bridge: Callable[..., Any]
) -> None:
    broker = mosquitto()
    running = bridge(broker)
    asking = peer(broker)
    began = time.monotonic()
    asking.ask({"text": "oil leak"}, UserProperty=[("", "")] * 30_000)
    built = time.monotonic() - began  # paho takes its time to write them
    asking.record("out/entities")
    assert time.monotonic() - began - built < 20
    assert len(running.reports) == 1


# --- response topics


@pytest.mark.parametrize(
    "topic",
    ["$SYS/broker/load", "$share/edge/mine", "$mine", "out/status", "out/dead", "in/text", "/".join("x" * 300)],
)  # fmt: skip
def test_a_response_topic_that_may_not_be_is_a_dead_letter_without_a_reconnection(
    topic: str, mosquitto: Callable[..., Any], peer: Callable[..., Any], bridge: Callable[..., Any]
) -> None:
    broker = mosquitto()
    running = bridge(broker)
    asking = peer(broker)
    asking.status("online")
    asking.ask({"text": "oil leak"}, ResponseTopic=topic, CorrelationData=b"7")
    message = asking.message("out/dead")
    record = json.loads(message.payload)
    assert (record["reason"], message.properties.CorrelationData) == ("response-topic", b"7")
    assert record["message"].startswith(f"no answer can go to {topic[:100]!r}: ")
    asking.ask(NEXT)
    assert asking.record("out/entities")["id"] == "next"
    assert (len(running.reports), asking.waiting["out/status"]) == (1, [])


def test_only_allowed_response_topics_get_answers(
    mosquitto: Callable[..., Any], peer: Callable[..., Any], bridge: Callable[..., Any]
) -> None:
    broker = mosquitto()
    bridge(broker, responses=("mine", "lines/+/entities"))
    asking = peer(broker)
    asking.ask({"text": "oil leak"}, ResponseTopic="out/else")
    asking.ask({"text": "oil leak"}, ResponseTopic="mine")
    assert json.loads(asking.message("mine").payload)["text"] == "oil leak"
    dead = asking.record("out/dead")
    assert dead["message"] == "no answer can go to 'out/else': only mine, lines/+/entities are allowed"

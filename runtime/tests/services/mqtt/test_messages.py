"""Requests, answers and dead letters as bytes."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgener_runtime import Entity
from edgener_runtime.services.mqtt.messages import (
    RESERVED,
    IncomingMessage,
    PoisonMessageError,
    answer,
    dead_letter,
    read_request,
)

PUMP = Entity("EQUIPMENT", 5, 9, 0.5, "pump")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.dictionaries(st.text().filter(lambda name: name not in RESERVED), JSON, max_size=4)


@given(fields=FIELDS, text=st.text())
def test_an_answer_is_its_request_with_entities_a_key_and_a_version(fields: dict[str, object], text: str) -> None:
    record = {**fields, "text": text}
    arrival = IncomingMessage("in", json.dumps(record).encode())
    assert read_request(arrival, 10**6) == text
    message = answer(arrival, "out", [PUMP], "f0be")
    found = json.loads(message.payload)
    assert (found.pop("key"), found.pop("bundle_version")) == (arrival.key, "f0be")
    assert found.pop("entities") == [{"label": "EQUIPMENT", "start": 5, "end": 9, "score": 0.5, "text": "pump"}]
    assert found == record


@given(payload=st.binary(max_size=60))
def test_any_payload_is_a_request_or_a_dead_letter_that_holds_it(payload: bytes) -> None:
    arrival = IncomingMessage("in", payload)
    try:
        read_request(arrival, 50)
    except PoisonMessageError as poison:
        record = json.loads(dead_letter(arrival, "dead", poison, 1000).payload)
        assert record["bytes"] == len(payload)
        if "payload" in record:
            assert record["payload"].encode() == payload


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "not-json"),
        (b"{", "not-json"),
        (b"[" * 100_000, "not-json"),
        (b'{"text": "a", "x": NaN}', "not-json"),  # could not be passed on as JSON
        (b'{"text": "a", "x": 1e999}', "not-json"),
        (b'{"text": "a", "x": %s}' % (b"1" * 5000), "not-json"),
        (b"\xff", "not-utf-8"),
        ('{"text": "Öl"}'.encode("latin-1"), "not-utf-8"),
        (b'"oil leak"', "no-text"),
        (b"{}", "no-text"),
        (b'{"text": 7}', "no-text"),
        (b'{"text": "a", "key": 7}', "reserved-field"),
        (b'{"text": "a", "bundle_version": "1"}', "reserved-field"),
        (b'{"text": "a", "entities": []}', "reserved-field"),
        (b" " * 200_001, "too-long"),
    ],
)
def test_what_is_not_a_request_is_poison_with_its_reason(payload: bytes, reason: str) -> None:
    with pytest.raises(PoisonMessageError) as raised:
        read_request(IncomingMessage("in", payload), 200_000)
    assert raised.value.reason == reason


def test_a_lone_surrogate_comes_back_as_it_came() -> None:
    payload = b'{"text": "oil \\ud800"}'
    arrival = IncomingMessage("in", payload)
    payload = answer(arrival, "out", [], "f0be").payload
    assert json.loads(payload)["text"] == "oil \ud800"
    assert b"\\ud800" in payload


def test_bytes_that_are_no_text_are_kept_in_base64() -> None:
    record = json.loads(
        dead_letter(IncomingMessage("in", b"\xff\x00"), "dead", PoisonMessageError("not-utf-8", "no"), 100).payload
    )
    assert (record["payload_base64"], "payload" in record) == ("/wA=", False)


def test_a_dead_letter_holds_the_beginning_of_what_was_too_long() -> None:
    record = json.loads(
        dead_letter(IncomingMessage("in", b"oil leak"), "dead", PoisonMessageError("too-long", "no"), 3).payload
    )
    assert (record["payload"], record["bytes"]) == ("oil", 8)


def test_the_same_message_has_the_same_key_and_any_other_has_another() -> None:
    messages = [
        IncomingMessage("in", b"a"),
        IncomingMessage("in", b"b"),
        IncomingMessage("ina", b""),
        IncomingMessage("other", b"a"),
        IncomingMessage("in", b"a", correlation=b"7"),
        IncomingMessage("in", b"a", correlation=b"8"),
    ]
    assert len({message.key for message in messages}) == len(messages)
    assert (
        IncomingMessage("in", b"a", mid=4).key == IncomingMessage("in", b"a", mid=9).key
    )  # another packet, as after a restart


def test_an_answer_goes_to_the_response_topic_with_the_correlation() -> None:
    arrival = IncomingMessage("in", b'{"text": "a"}', response_topic="mine", correlation=b"7")
    message = answer(arrival, "out", [], "f0be")
    assert (message.topic, message.correlation) == ("mine", b"7")

"""PUBLISH packets as bytes: those that paho writes, damaged ones, and any others."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

pytest.importorskip("paho", reason="the extra mqtt is not installed")

from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from edgener_runtime.services.mqtt.messages import IncomingMessage, PoisonMessageError, dead_letter, read_request
from edgener_runtime.services.mqtt.publish_packet import MalformedPublishError, read_publish

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\ufeff"), max_size=20)
PROPERTIES = st.fixed_dictionaries(
    {},
    optional={
        "PayloadFormatIndicator": st.integers(0, 1),
        "MessageExpiryInterval": st.integers(0, 2**32 - 1),
        "ContentType": TEXT,
        "ResponseTopic": TEXT,
        "CorrelationData": st.binary(max_size=40),
        "UserProperty": st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=5),
        "SubscriptionIdentifier": st.integers(1, 268_435_455),
        "TopicAlias": st.integers(1, 65535),
    },
)
QOS_1, REPEATED = 0x32, 0x08


def packet(topic: bytes, mid: int, properties: bytes, payload: bytes) -> bytes:
    return struct.pack("!H", len(topic)) + topic + struct.pack("!H", mid) + properties + payload


def packed(values: dict[str, Any]) -> bytes:
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    for name, value in values.items():
        setattr(properties, name, value)
    return bytes(properties.pack())  # type: ignore[no-untyped-call]


@given(topic=TEXT, mid=st.integers(1, 65535), values=PROPERTIES, payload=st.binary(max_size=40))
def test_what_paho_writes_is_read(topic: str, mid: int, values: dict[str, Any], payload: bytes) -> None:
    data = packet(topic.encode(), mid, packed(values), payload)
    assert read_publish(QOS_1, data, True, 100) == IncomingMessage(
        topic, payload, mid, 1, values.get("ResponseTopic"), values.get("CorrelationData")
    )


@given(topic=TEXT, payload=st.binary(max_size=40), most=st.integers(0, 50), dropped=st.integers(0, 9))
def test_of_a_long_payload_the_first_bytes_are_kept(topic: str, payload: bytes, most: int, dropped: int) -> None:
    message = read_publish(QOS_1 | REPEATED, packet(topic.encode(), 7, b"", payload), False, most, dropped)
    assert (message.payload, message.size) == (payload[:most], len(payload) + dropped)
    assert message.repeated


@given(first=st.integers(0x30, 0x3F), data=st.binary(max_size=80), modern=st.booleans())
@example(0x32, packet(b"in", 1, b"\xff\xff\xff\xff\xff", b"{}"), True)
@example(0x32, packet(b"in", 1, b"\x03\x0b\xff\xff", b"{}"), True)
def test_any_bytes_are_a_message_or_malformed(first: int, data: bytes, modern: bool) -> None:
    try:
        message = read_publish(first, data, modern, 30)
    except MalformedPublishError:
        return
    assert len(message.payload) <= 30
    try:
        read_request(message, 20)
    except PoisonMessageError as poison:
        assert dead_letter(message, "dead", poison, 20).payload


@pytest.mark.parametrize(
    ("topic", "properties", "fault"),
    [
        (b"in", b"\x01\x7f", "0x7f is not a property of a message"),
        (b"in", b"\x01\x02", "the packet ends"),
        (b"in", b"\x05\x08\x00\x02\xff\xfe", "can't decode byte 0xff"),
        (b"in", b"\x7f", "it has 127 bytes of properties"),
        (b"in", b"\xff\xff\xff\xff\x01", "a length of more than four bytes"),
        (b"\xff", b"\x00", "can't decode byte 0xff"),
    ],
)
def test_a_message_that_cannot_be_read_is_one_with_a_fault(topic: bytes, properties: bytes, fault: str) -> None:
    message = read_publish(QOS_1, packet(topic, 7, properties, b'{"text": "pump"}'), True, 100)
    assert (message.mid, message.topic) == (7, topic.decode("utf-8", "backslashreplace"))
    assert message.fault and fault in message.fault
    with pytest.raises(PoisonMessageError) as raised:
        read_request(message, 100)
    assert raised.value.reason == "malformed"


@pytest.mark.parametrize("data", [b"", b"\x00", b"\x00\x05in", b"\x00\x02in\x00"])
def test_a_packet_without_an_identifier_is_malformed(data: bytes) -> None:
    with pytest.raises(MalformedPublishError):
        read_publish(QOS_1, data, True, 100)

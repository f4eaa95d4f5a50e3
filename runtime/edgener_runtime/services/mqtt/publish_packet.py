"""PUBLISH packets as they come from the network: the parts that the bridge uses, read in one pass.

paho's own parser copies the rest of the packet for each property, so that one message with many user properties takes
it minutes, and it refuses properties that MQTT allows, such as one with U+FEFF.
"""

from __future__ import annotations

from dataclasses import dataclass

from .messages import IncomingMessage

_RESPONSE_TOPIC, _CORRELATION = 0x08, 0x09
_LENGTHS = {0x01: 1, 0x02: 4, 0x23: 2}  # payload format, message expiry, topic alias: bytes of the value
_STRINGS = {0x03: 1, _RESPONSE_TOPIC: 1, _CORRELATION: 1, 0x26: 2}  # content type ..., user property: strings in one
_SUBSCRIPTION = 0x0B  # its value has a variable length


class MalformedPublishError(ValueError):
    """A packet that ends too early, or has what MQTT does not have there."""


def read_publish(first: int, packet: bytes, has_properties: bool, most: int, dropped: int = 0) -> IncomingMessage:
    """The message of a packet, given its first byte and what follows its length; at most `most` bytes of payload.

    `dropped` bytes at the end of the packet were not kept. A message with a `fault` has properties that cannot be read.
    Raises MalformedPublishError where not even the topic and the packet identifier can be.
    """
    qos = first >> 1 & 3
    if qos > 1:
        raise MalformedPublishError(f"QoS {qos} was not asked for")
    reader = _Reader(packet)
    topic = reader.string()
    mid = reader.number(2) if qos else 0
    fault, found, response_topic = None, {}, None
    try:
        if has_properties:
            found = _used_properties(reader)
        if _RESPONSE_TOPIC in found:
            response_topic = found[_RESPONSE_TOPIC].decode()
        topic.decode()
    except (MalformedPublishError, UnicodeDecodeError) as error:
        fault = f"the topic or the properties of the message cannot be read: {error}"
    payload = packet[reader.at : reader.at + most]
    cut = max(0, len(packet) + dropped - reader.at - len(payload))
    return IncomingMessage(
        topic.decode("utf-8", "backslashreplace"), payload, mid, qos, response_topic, found.get(_CORRELATION),
        cut, fault, repeated=bool(first & 8),
    )  # fmt: skip


def _used_properties(message: _Reader) -> dict[int, bytes]:
    """The response topic and the correlation data of a message, which is then read up to its payload."""
    length = message.variable()
    message.at += length
    reader = _Reader(message.data[message.at - length : message.at])
    if len(reader.data) < length:
        raise MalformedPublishError(f"it has {length} bytes of properties")
    found: dict[int, bytes] = {}
    while reader.at < length:
        kind = reader.variable()
        if kind in _LENGTHS:
            reader.number(_LENGTHS[kind])
        elif kind == _SUBSCRIPTION:
            reader.variable()
        elif kind in _STRINGS:
            values = [reader.string() for _ in range(_STRINGS[kind])]
            if kind in (_RESPONSE_TOPIC, _CORRELATION):
                found[kind] = values[0]
        else:
            raise MalformedPublishError(f"0x{kind:02x} is not a property of a message")
    return found


@dataclass
class _Reader:
    """Reads the parts of a packet in turn. Raises MalformedPublishError where it ends before them."""

    data: bytes
    at: int = 0

    def take(self, count: int) -> bytes:
        taken = self.data[self.at : self.at + count]
        if len(taken) < count:
            raise MalformedPublishError(f"the packet ends at byte {len(self.data)}")
        self.at += count
        return taken

    def number(self, count: int) -> int:
        return int.from_bytes(self.take(count), "big")

    def string(self) -> bytes:
        """Bytes with their length in front."""
        return self.take(self.number(2))

    def variable(self) -> int:
        """A number of up to four bytes with seven bits each."""
        number = 0
        for shift in (0, 7, 14, 21):
            byte = self.number(1)
            number |= (byte & 127) << shift
            if byte < 128:
                return number
        raise MalformedPublishError("a length of more than four bytes")

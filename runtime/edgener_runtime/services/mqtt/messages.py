"""Incoming and outgoing messages, and the key that a request shares with its answer."""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, NoReturn

from edgener_runtime.decoding.entity import Entity

RESERVED = ("entities", "key", "bundle_version")  # fields that an answer adds to those of its request
_WHITESPACE = b" \t\r\n"  # of JSON


@dataclass(frozen=True)
class IncomingMessage:
    """A message as received; `mid` identifies the packet to acknowledge.

    `cut` is the number of bytes of a long payload that were not kept, `fault` says what is wrong with the packet, and
    `repeated` that the broker has sent it before.
    """

    topic: str
    payload: bytes
    mid: int = 0
    qos: int = 1
    response_topic: str | None = None
    correlation: bytes | None = None
    cut: int = 0
    fault: str | None = None
    repeated: bool = False

    @property
    def size(self) -> int:
        """Bytes of the payload that was sent."""
        return len(self.payload) + self.cut

    @property
    def key(self) -> str:
        """SHA-256 of topic, correlation data and kept payload: equal for every delivery of a message."""
        correlation = (self.correlation or b"").hex().encode()
        return hashlib.sha256(b"\0".join([self.topic.encode(), correlation, self.payload])).hexdigest()


@dataclass(frozen=True)
class OutgoingMessage:
    """A message to publish with QoS 1."""

    topic: str
    payload: bytes
    correlation: bytes | None = None
    retain: bool = False


class PoisonMessageError(Exception):
    """A message without a possible answer: `reason` is one word for programs, the message is for people."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def read_request(arrival: IncomingMessage, max_bytes: int) -> str:
    """The `text` of a message's JSON object. Raises PoisonMessageError for anything else."""
    if arrival.fault:
        raise PoisonMessageError("malformed", arrival.fault)
    if arrival.size > max_bytes:
        raise PoisonMessageError("too-long", f"{arrival.size} bytes, at most {max_bytes} are taken")
    try:
        found = json.loads(
            arrival.payload.decode("utf-8"),
            parse_float=_finite,
            parse_constant=_no_number,
            object_pairs_hook=_once_each,
        )
    except UnicodeDecodeError as error:
        raise PoisonMessageError("not-utf-8", f"no UTF-8 at byte {error.start}") from None
    except (ValueError, RecursionError) as error:  # also numbers of thousands of digits, brackets thousands deep
        raise PoisonMessageError("not-json", f"not JSON: {error}") from None
    if not isinstance(found, dict) or not isinstance(found.get("text"), str):
        raise PoisonMessageError("no-text", "expected a JSON object with a string in its field text")
    if taken := [name for name in RESERVED if name in found]:
        raise PoisonMessageError("reserved-field", f"the field {taken[0]} is the answer's own")
    return str(found["text"])


def answer(arrival: IncomingMessage, topic: str, entities: Sequence[Entity], version: str) -> OutgoingMessage:
    """A request with its entities, its key and the bundle's version; to its response topic, else to `topic`.

    The fields of the request, at least `text`, are the bytes that came: they may be nested deeper than Python can
    write JSON, and keep their numbers digit by digit.
    """
    added = _json({"entities": [asdict(entity) for entity in entities], "key": arrival.key, "bundle_version": version})
    payload = arrival.payload.rstrip(_WHITESPACE).removesuffix(b"}").rstrip(_WHITESPACE) + b", " + added[1:]
    return OutgoingMessage(arrival.response_topic or topic, payload, arrival.correlation)


def dead_letter(
    arrival: IncomingMessage, topic: str, poison: PoisonMessageError, most: int, key: str | None = None
) -> OutgoingMessage:
    """The reason why a message has no answer, its topic, key and length, and its first `most` bytes as a string."""
    record: dict[str, Any] = {
        "reason": poison.reason,
        "message": str(poison),
        "topic": arrival.topic,
        "key": key or arrival.key,
        "bytes": arrival.size,
    }
    payload = arrival.payload[:most]
    try:
        record["payload"] = payload.decode("utf-8")
    except UnicodeDecodeError:
        record["payload_base64"] = base64.b64encode(payload).decode("ascii")
    return OutgoingMessage(topic, _json(record), arrival.correlation)


def _json(record: dict[str, Any]) -> bytes:
    """JSON in UTF-8; a lone surrogate as its JSON escape."""
    return json.dumps(record, ensure_ascii=False).encode("utf-8", "backslashreplace")


def _finite(digits: str) -> float:
    number = float(digits)
    return number if math.isfinite(number) else _no_number(digits)


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        raise ValueError("an object has a name twice")
    return record


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a finite number")

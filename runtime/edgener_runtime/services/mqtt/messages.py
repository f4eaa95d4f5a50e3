"""Incoming and outgoing messages, and the key that a request shares with its answer."""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NoReturn

from edgener_runtime.decoding.entity import Entity

RESERVED = ("entities", "key")  # fields that an answer adds to those of its request


@dataclass(frozen=True)
class IncomingMessage:
    """A message as received; `mid` identifies the packet to acknowledge."""

    topic: str
    payload: bytes
    mid: int = 0
    qos: int = 1
    response_topic: str | None = None
    correlation: bytes | None = None

    @property
    def key(self) -> str:
        """SHA-256 of topic, correlation data and payload: equal for every delivery of a message."""
        correlation = (self.correlation or b"").hex().encode()
        return hashlib.sha256(b"\0".join([self.topic.encode(), correlation, self.payload])).hexdigest()


@dataclass(frozen=True)
class OutgoingMessage:
    """A message to publish with QoS 1."""

    topic: str
    payload: bytes
    correlation: bytes | None = None
    retain: bool = False


@dataclass(frozen=True)
class TextRequest:
    """The text to answer, and all fields of its JSON object, including the text."""

    text: str
    fields: dict[str, Any] = field(repr=False)


class PoisonMessageError(Exception):
    """A message without a possible answer: `reason` is one word for programs, the message is for people."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def read_request(payload: bytes, max_bytes: int) -> TextRequest:
    """The request in a payload: a JSON object with a string `text`. Raises PoisonMessageError for anything else."""
    if len(payload) > max_bytes:
        raise PoisonMessageError("too-long", f"{len(payload)} bytes, at most {max_bytes} are taken")
    try:
        found = json.loads(payload.decode("utf-8"), parse_float=_finite, parse_constant=_no_number)
    except UnicodeDecodeError as error:
        raise PoisonMessageError("not-utf-8", f"no UTF-8 at byte {error.start}") from None
    except (
        ValueError,
        RecursionError,
    ) as error:  # not JSON, a number of thousands of digits, or brackets thousands deep
        raise PoisonMessageError("not-json", f"not JSON: {error}") from None
    if not isinstance(found, dict) or not isinstance(found.get("text"), str):
        raise PoisonMessageError("no-text", "expected a JSON object with a string in its field text")
    if taken := [name for name in RESERVED if name in found]:
        raise PoisonMessageError("reserved-field", f"the field {taken[0]} is the answer's own")
    return TextRequest(found["text"], found)


def answer(arrival: IncomingMessage, topic: str, request: TextRequest, entities: Sequence[Entity]) -> OutgoingMessage:
    """A request's fields unchanged, with its entities and key; to its response topic, else to `topic`."""
    rows = [asdict(entity) for entity in entities]
    payload = _json({**request.fields, "entities": rows, "key": arrival.key})
    return OutgoingMessage(arrival.response_topic or topic, payload, arrival.correlation)


def dead_letter(arrival: IncomingMessage, topic: str, poison: PoisonMessageError, most: int) -> OutgoingMessage:
    """The reason why a message has no answer, its topic, key and length, and its first `most` bytes."""
    record: dict[str, Any] = {
        "reason": poison.reason,
        "message": str(poison),
        "topic": arrival.topic,
        "key": arrival.key,
        "bytes": len(arrival.payload),
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


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a finite number")

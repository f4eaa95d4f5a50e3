"""What comes from a broker and what goes to it, with the key that both have in common."""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NoReturn

from edgener_runtime.decoding.entity import Entity

RESERVED = ("entities", "key")  # fields that an answer adds to its request's


@dataclass(frozen=True)
class Arrival:
    """A message as it came; `mid` is the packet to acknowledge."""

    topic: str
    payload: bytes
    mid: int = 0
    qos: int = 1
    response_topic: str | None = None
    correlation: bytes | None = None

    @property
    def key(self) -> str:
        """SHA-256 of topic, correlation data and payload: equal whenever the same message comes again."""
        correlation = (self.correlation or b"").hex().encode()
        return hashlib.sha256(b"\0".join([self.topic.encode(), correlation, self.payload])).hexdigest()


@dataclass(frozen=True)
class Letter:
    """A message to publish with QoS 1."""

    topic: str
    payload: bytes
    correlation: bytes | None = None
    retain: bool = False


@dataclass(frozen=True)
class Request:
    """The text to answer, and the fields of the JSON object it came in, the text among them."""

    text: str
    fields: dict[str, Any] = field(repr=False)


class Poison(Exception):  # noqa: N818 - the field's word
    """A message that no answer can be given to: `reason` is one word for programs, the message is for people."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def read_request(payload: bytes, max_bytes: int) -> Request:
    """The request in a payload: a JSON object with a string `text`. Raises Poison for all else."""
    if len(payload) > max_bytes:
        raise Poison("too-long", f"{len(payload)} bytes, at most {max_bytes} are taken")
    try:
        found = json.loads(payload.decode("utf-8"), parse_float=_finite, parse_constant=_no_number)
    except UnicodeDecodeError as error:
        raise Poison("not-utf-8", f"no UTF-8 at byte {error.start}") from None
    except (ValueError, RecursionError) as error:  # no JSON, numbers of thousands of digits, brackets thousands deep
        raise Poison("not-json", f"not JSON: {error}") from None
    if not isinstance(found, dict) or not isinstance(found.get("text"), str):
        raise Poison("no-text", "expected a JSON object with a string in its field text")
    if taken := [name for name in RESERVED if name in found]:
        raise Poison("reserved-field", f"the field {taken[0]} is the answer's own")
    return Request(found["text"], found)


def answer(arrival: Arrival, topic: str, request: Request, entities: Sequence[Entity]) -> Letter:
    """A request's fields as they are, its entities and its key; to its response topic, or else to `topic`."""
    rows = [asdict(entity) for entity in entities]
    payload = _json({**request.fields, "entities": rows, "key": arrival.key})
    return Letter(arrival.response_topic or topic, payload, arrival.correlation)


def dead_letter(arrival: Arrival, topic: str, poison: Poison, most: int) -> Letter:
    """Why a message has no answer, its topic, key and length, and the first `most` bytes of it."""
    record: dict[str, Any] = {
        "reason": poison.reason,
        "message": str(poison),
        "topic": arrival.topic,
        "key": arrival.key,
        "bytes": len(arrival.payload),
    }
    kept = arrival.payload[:most]
    try:
        record["payload"] = kept.decode("utf-8")
    except UnicodeDecodeError:
        record["payload_base64"] = base64.b64encode(kept).decode("ascii")
    return Letter(topic, _json(record), arrival.correlation)


def _json(record: dict[str, Any]) -> bytes:
    """JSON in UTF-8; a lone surrogate stands as JSON's escape for it."""
    return json.dumps(record, ensure_ascii=False).encode("utf-8", "backslashreplace")


def _finite(digits: str) -> float:
    number = float(digits)
    return number if math.isfinite(number) else _no_number(digits)


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no finite number")

"""The body of a request, read within the limits of size and time."""

from __future__ import annotations

import asyncio
import json
from typing import Any, NoReturn

from starlette.requests import ClientDisconnect, Request

from .error_responses import RequestError
from .limits import Limits

_GRACE = 5.0  # seconds over which the rate of a body is measured


async def read_body(request: Request, limits: Limits) -> bytes:
    """The bytes of the body. Raises RequestError: 408 for a slow, 413 for a long, 415 for a compressed body."""
    if request.headers.get("content-encoding", "identity") != "identity":
        raise RequestError(415, "compressed bodies are not accepted", "Send the body without Content-Encoding.")
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > limits.body:
        raise _too_long(limits)
    parts = bytearray()
    collecting = asyncio.ensure_future(_collect(request, limits, parts))
    try:
        await _arrival(collecting, limits, parts)
    except ClientDisconnect:
        raise RequestError(400, "the client disconnected before the end of its body") from None
    finally:
        collecting.cancel()
    return bytes(parts)


async def _collect(request: Request, limits: Limits, parts: bytearray) -> None:
    async for part in request.stream():
        parts += part
        if len(parts) > limits.body:
            raise _too_long(limits)


async def _arrival(collecting: asyncio.Future[None], limits: Limits, parts: bytearray) -> None:
    """Wait for the whole body. Raises RequestError 408 where it takes too long, or too little comes in a while."""
    clock = asyncio.get_running_loop().time
    end = clock() + limits.seconds
    while not collecting.done():
        before = len(parts)
        await asyncio.wait([collecting], timeout=min(_GRACE, max(0.0, end - clock())))
        if not collecting.done() and clock() >= end:
            raise _late(f"the body did not come within {limits.seconds:g} s")
        if not collecting.done() and len(parts) - before < limits.rate * _GRACE:
            raise _late(f"the body came with less than {limits.rate} bytes per second in {_GRACE:g} s")
    collecting.result()


def parse_object(data: bytes) -> dict[str, Any]:
    """A JSON object in UTF-8. Raises RequestError 400 for anything else."""
    try:
        record = json.loads(data.decode("utf-8"), parse_constant=_refuse_constant, object_pairs_hook=_once_each)
    except UnicodeDecodeError as error:
        raise RequestError(400, f"the body is not UTF-8: byte 0x{data[error.start]:02x} at {error.start}") from None
    except json.JSONDecodeError as error:
        raise RequestError(
            400, f"the body is not JSON: {error.msg} at line {error.lineno} column {error.colno}"
        ) from None
    except (ValueError, RecursionError) as error:  # numbers of thousands of digits, brackets thousands deep
        raise RequestError(400, f"the body is JSON that cannot be read: {error}") from None
    if not isinstance(record, dict):
        raise RequestError(400, f"the body is {kind(record)}, expected a JSON object")
    return record


def kind(value: Any) -> str:
    """The name of a JSON value's type, for messages."""
    return _KINDS[type(value)]


_KINDS = {
    dict: "an object", list: "an array", str: "a string", int: "a number", float: "a number", bool: "a boolean",
    type(None): "null",
}  # fmt: skip


def _too_long(limits: Limits) -> RequestError:
    return RequestError(413, f"the body is longer than {limits.body} bytes", "Send fewer texts at once.")


def _late(message: str) -> RequestError:
    return RequestError(408, message, headers={"Connection": "close"})


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        raise ValueError("an object has a name twice")
    return record

"""BYTES tensors of the Open Inference Protocol, as JSON and in its binary data extension.

See https://github.com/kserve/open-inference-protocol and, for the extension, Triton's extension_binary_data.md.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

from .error_responses import RequestError
from .request_body import kind, parse_object

HEADER = "Inference-Header-Content-Length"
_LENGTH = struct.Struct("<I")


def split_body(body: bytes, length: str | None) -> tuple[dict[str, Any], bytes]:
    """The JSON of a request and the binary data after it; the header gives the length of the JSON."""
    if length is None:
        return parse_object(body), b""
    if not (length.isascii() and length.isdecimal()) or int(length) > len(body):
        raise RequestError(400, f"{HEADER} is {length!r}, expected a number of bytes up to the body's {len(body)}")
    return parse_object(body[: int(length)]), body[int(length) :]


def read_elements(tensor: dict[str, Any], binary: bytes) -> list[Any]:
    """The elements of a BYTES tensor in row-major order: from its data, else from the bytes after the JSON."""
    parameters = tensor.get("parameters", {})
    if not isinstance(parameters, dict):
        raise RequestError(422, f"the parameters of {tensor.get('name')!r} are {kind(parameters)}, expected an object")
    size = parameters.get("binary_data_size")
    if size is None:
        if binary:
            raise RequestError(400, f"{len(binary)} bytes follow the JSON, and no input has binary_data_size")
        return list(_flat(tensor.get("data")))
    if "data" in tensor:
        raise RequestError(
            422, f"input {tensor.get('name')!r} has both data and binary_data_size, expected one of them"
        )
    if type(size) is not int or size != len(binary):
        raise RequestError(400, f"binary_data_size is {size!r}, {len(binary)} bytes follow the JSON")
    return _unpack(binary)


def size_of(shape: Any) -> int:
    """The number of elements of a shape. Raises RequestError 422 for an invalid shape."""
    if not isinstance(shape, list) or any(type(size) is not int or size < 0 for size in shape):
        raise RequestError(422, f"the shape is {shape!r}, expected an array of sizes")
    if len(shape) not in (1, 2) or shape[1:] not in ([], [1]):
        raise RequestError(422, f"the shape is {shape}, expected [texts] or [texts, 1]")
    return int(shape[0])


def pack(elements: Sequence[bytes]) -> bytes:
    """Elements in the format of the extension: 4 bytes of length, little endian, then the element."""
    return b"".join(_LENGTH.pack(len(element)) + element for element in elements)


def _flat(data: Any) -> list[Any]:
    """Elements of nested or flattened data."""
    if not isinstance(data, list):
        raise RequestError(422, f"the data is {kind(data)}, expected an array of strings, or binary_data_size")
    return [element for row in data for element in (row if isinstance(row, list) else [row])]


def _unpack(binary: bytes) -> list[str]:
    texts: list[str] = []
    at = 0
    while at < len(binary):
        end = at + _LENGTH.size
        if end <= len(binary):
            at, end = end, end + _LENGTH.unpack_from(binary, at)[0]
        if end > len(binary):
            raise RequestError(400, f"the binary data ends in the middle of text {len(texts)}")
        try:
            texts.append(binary[at:end].decode("utf-8"))
        except UnicodeDecodeError as error:
            raise RequestError(400, f"text {len(texts)} is not UTF-8: {error.reason} at byte {error.start}") from None
        at = end
    return texts

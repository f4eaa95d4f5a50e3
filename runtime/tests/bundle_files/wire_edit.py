"""Changes of ONNX files without onnx: a message of protocol buffers as a list of fields, and back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


@dataclass(frozen=True)
class Field:
    """A field: its number, its kind, and its number or bytes."""

    number: int
    kind: int
    value: int = 0
    data: bytes = b""


def text(number: int, value: str) -> Field:
    return Field(number, BYTES, data=value.encode())


def message(number: int, *fields: Field) -> Field:
    return Field(number, BYTES, data=encode([*fields]))


def varint(number: int, value: int) -> Field:
    return Field(number, VARINT, value)


def decode(data: bytes) -> list[Field]:
    """The fields of a message. Raises IndexError or ValueError where it is none."""
    fields, at = [], 0
    while at < len(data):
        key, at = _read(data, at)
        kind = key & 7
        if kind == VARINT:
            value, at = _read(data, at)
            fields.append(Field(key >> 3, kind, value))
            continue
        if kind not in (FIXED64, BYTES, FIXED32):
            raise ValueError(kind)
        length, at = _read(data, at) if kind == BYTES else ({FIXED64: 8, FIXED32: 4}[kind], at)
        fields.append(Field(key >> 3, kind, data=data[at : at + length]))
        at += length
    return fields


def encode(fields: list[Field]) -> bytes:
    parts = []
    for field in fields:
        parts.append(_written(field.number << 3 | field.kind))
        if field.kind == VARINT:
            parts.append(_written(field.value))
        else:
            parts += [_written(len(field.data)) * (field.kind == BYTES), field.data]
    return b"".join(parts)


Change = Callable[[list[Field]], list[Field]]


def changed(data: bytes, path: list[int], change: Change) -> bytes:
    """A message with a change of the fields of the first message at a path of numbers."""
    fields = decode(data)
    if not path:
        return encode(change(fields))
    index = next(index for index, field in enumerate(fields) if field.number == path[0])
    fields[index] = replace(fields[index], data=changed(fields[index].data, path[1:], change))
    return encode(fields)


def _read(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if data[at - 1] < 0x80:
            return value, at


def _written(value: int) -> bytes:
    parts = []
    value &= 2**64 - 1
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])

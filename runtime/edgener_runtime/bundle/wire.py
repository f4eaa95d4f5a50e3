"""The wire format of protocol buffers: numbered fields of a message, of which most are skipped without being read."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

Data: TypeAlias = "bytes | mmap.mmap"
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MOST_FIELDS = 500_000  # of a message; the graphs of large models have tens of thousands
_MOST_BITS = 63  # of the shift of a varint's last byte


class WireField(NamedTuple):
    """A field of a message: its number, and its bytes from `start` to `end`, or a number as `value` and no bytes."""

    number: int
    value: int
    start: int
    end: int


def wire_fields(data: Data, start: int, end: int) -> Iterator[WireField]:
    """The fields of the message in these bytes. Raises ValueError where they are not one."""
    at, left = start, _MOST_FIELDS
    while at < end:
        if not (left := left - 1):
            raise ValueError(f"a message of more than {_MOST_FIELDS:,} fields")
        key, at = read_varint(data, at, end)
        number, kind = key >> 3, key & 7
        value, length = 0, 0
        if kind == _VARINT:
            value, at = read_varint(data, at, end)
        elif kind == _BYTES:
            length, at = read_varint(data, at, end)
        elif kind in (_FIXED32, _FIXED64):
            at += 4 if kind == _FIXED32 else 8
        else:
            raise ValueError(f"a field of kind {kind} before byte {at}")
        if at + length > end or not number:
            raise ValueError(f"field {number} at byte {at} does not end within its message")
        yield WireField(number, value, at, at + length)
        at += length


def read_varint(data: Data, at: int, end: int) -> tuple[int, int]:
    """A number of 7 bits per byte, and where it ends."""
    if at < end and (byte := data[at]) < 0x80:
        return byte, at + 1
    value = shift = 0
    while at < end and shift <= _MOST_BITS:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
    raise ValueError(f"a number that does not end at byte {at}")

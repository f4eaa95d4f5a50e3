"""The libraries that a library needs, read from its file: loading it could end the process."""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from pathlib import Path

_FILE = struct.Struct("<16s2HI3QI6H")
_PART = struct.Struct("<2I6Q")
_ENTRY = struct.Struct("<qQ")
_MAGIC = b"\x7fELF\x02\x01"  # 64 bits, least byte first: x86-64 and arm64
_LOADED, _DYNAMIC = 1, 2  # p_type
_NEEDED, _STRINGS = 1, 5  # d_tag


def needed_libraries(file: Path) -> tuple[str, ...]:
    """The names an ELF library asks the loader for (DT_NEEDED), in its order; none where it is not such a file."""
    try:
        with file.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return tuple(_needed(data)) if data[: len(_MAGIC)] == _MAGIC else ()
    except (OSError, ValueError, OverflowError, struct.error):  # an empty file cannot be mapped; others are damaged
        return ()


def _needed(data: mmap.mmap) -> Iterator[str]:
    parts = list(_parts(data))
    for kind, offset, _, size in parts:
        if kind == _DYNAMIC:
            entries = list(_ENTRY.iter_unpack(data[offset : offset + size]))
            strings = next((_offset(parts, value) for tag, value in entries if tag == _STRINGS), None)
            if strings is not None:
                yield from (_string(data, strings + value) for tag, value in entries if tag == _NEEDED)


def _parts(data: mmap.mmap) -> Iterator[tuple[int, int, int, int]]:
    """Kind, offset in the file, address and size of each program header."""
    fields = _FILE.unpack_from(data)
    table, size, count = fields[5], fields[9], fields[10]
    for index in range(count):
        kind, _, offset, address, _, length, _, _ = _PART.unpack_from(data, table + index * size)
        yield kind, offset, address, length


def _offset(parts: list[tuple[int, int, int, int]], address: int) -> int | None:
    """The offset in the file of what the loader puts at an address."""
    for kind, offset, start, size in parts:
        if kind == _LOADED and start <= address < start + size:
            return offset + address - start
    return None


def _string(data: mmap.mmap, start: int) -> str:
    end = data.find(b"\0", start)
    return data[start : max(start, end)].decode("utf-8", "replace")

"""What a format of tables is: how a file is cut into chunks, a chunk tagged, and the results joined."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from edgener_runtime.bulk.answers import TextAnswer
from edgener_runtime.bulk.shapes import SHAPES, Shape
from edgener_runtime.bulk.spec import Chunk, RejectedRow, RowSpan, TagSpec

AnswerAll: TypeAlias = Callable[[Sequence[object]], list[TextAnswer]]
"""The answers of values that should be texts."""
Spool: TypeAlias = Callable[[int], "Path | None"]
"""Where the rows of a file's chunk are to be copied, or None where the chunk is done already."""
LONGEST_RECORD = 64 << 20  # bytes of a line or a record: more are not held in memory
CHUNK_BYTES = 1 << 20  # of a chunk's rows, or one longer row


@dataclass(frozen=True)
class TaggedPart:
    """A chunk's rows with their results as bytes of the output's format, and the counts."""

    content: bytes
    texts: int
    entities: int
    rejected: list[RejectedRow]


@dataclass(frozen=True)
class TableFormat:
    """A format of tables, by the suffixes of its files; the output has `output_suffix`.

    `check(path, spec)` raises UserInputError where the file cannot be tagged. `split(path, spec, spool)` yields the
    file of each chunk, or None where it is done, and the span of its rows there. `tag(chunk, spec, answer)` tags a
    chunk, and `join(path, spec, parts, out)` writes a whole file from its parts.
    `library` writes its bytes, if one does.
    """

    name: str
    suffixes: tuple[str, ...]
    output_suffix: str
    check: Callable[[Path, TagSpec], None]
    split: Callable[[Path, TagSpec, Spool], Iterator[tuple[Path | None, RowSpan]]]
    tag: Callable[[Chunk, TagSpec, AnswerAll], TaggedPart]
    join: Callable[[Path, TagSpec, Iterator[Path], Path], None]
    library: str = ""


def shape_of(spec: TagSpec) -> Shape:
    """The shape of a job's results."""
    return SHAPES[spec.shape]

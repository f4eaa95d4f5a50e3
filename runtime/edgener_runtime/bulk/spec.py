"""What a bulk job does, and the pieces of it that its processes pass to each other."""

from __future__ import annotations

from dataclasses import dataclass

from edgener_runtime.decoding.entity import Decoding

MAX_CHARACTERS = 1_000_000  # of a text: to tag it takes up to 600 MB
ROWS_AT_ONCE = 512  # of a chunk, sorted by length and run in batches; what is repeated after a kill


@dataclass(frozen=True)
class TagSpec:
    """What every worker does with every text; a job is resumed only with an equal one."""

    bundle: str
    text_column: str = "text"
    shape: str = "entities"
    device: str = "auto"
    variant: str = "auto"
    threads: int | None = 1
    reproducible: bool = False
    aggregation: str | None = None
    strict: bool = False
    thresholds: dict[str, float] | None = None
    offsets: str = "characters"
    max_characters: int = MAX_CHARACTERS
    require_signature: str | None = None

    @property
    def decoding(self) -> Decoding:
        """How labels become entities."""
        return Decoding(self.aggregation, self.strict, self.thresholds, self.offsets)


@dataclass(frozen=True)
class RowSpan:
    """Rows of a file that lie together: bytes, the first row's number and line (from 1), and how many rows."""

    offset: int
    length: int
    row: int
    rows: int
    line: int = 0


@dataclass(frozen=True)
class Chunk:
    """The rows that a worker tags at once: `span` of the file at `path`, whose name in messages is `source`.

    The result becomes the file `part`. Without `model`, every row is rejected: it has killed workers.
    """

    number: int
    format: str
    source: str
    path: str
    span: RowSpan
    part: str
    model: bool = True


@dataclass(frozen=True)
class RejectedRow:
    """A row without an answer: its number and line (from 1; 0 without lines), why, and how its text begins."""

    source: str
    row: int
    line: int
    reason: str
    text: str


@dataclass(frozen=True)
class TaggedChunk:
    """A chunk that was tagged: its first row, and counts; `set_aside` where it has killed workers."""

    number: int
    source: str
    row: int
    rows: int
    texts: int
    entities: int
    rejected: int
    set_aside: bool = False

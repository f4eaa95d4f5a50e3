"""What all backends share: the model to open, the tuning it runs with, the batches and the session."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from edgener_runtime.bundle.manifest import VariantEntry
from edgener_runtime.bundle.verify import read_verified
from edgener_runtime.machine.cpu import usable_cores

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Feeds = dict[str, NDArray[np.int64]]
    Logits = NDArray[np.float32]

UNNUMBERED = "edgener.unnumbered"
"""In a graph's metadata: `BatchShapes.unnumbered`."""
SUBWORDS_AT_ONCE = 256  # padded subwords of one run; with more, activations outgrow the cache of a core
# Lengths that single texts are padded to on a GPU, each warmed up and captured as a graph: more of them take memory,
# fewer waste time on padding.
LENGTHS = (16, 32, 64, 128, 192, 256, 384, 512)


@dataclass(frozen=True)
class Model:
    """What a session is opened for: a variant in a bundle's folder, its inputs, and their maximum length.

    `graph` are the verified bytes of its file where they were read before.
    """

    bundle: Path
    variant: VariantEntry
    inputs: tuple[str, ...]
    max_length: int
    graph: bytes | None = field(default=None, repr=False, compare=False)

    @property
    def file(self) -> Path:
        """The variant's ONNX file."""
        return self.bundle / self.variant.file.path

    def read_graph(self) -> bytes:
        """The bytes of the file that have the manifest's SHA-256. Raises BundleError where there are none."""
        return read_verified(self.bundle, self.variant.file) if self.graph is None else self.graph


@dataclass(frozen=True)
class Tuning:
    """Threads and batches of a session.

    A batch alone runs with `threads`, which spin between tasks if `spinning`; where several batches wait, `workers` run
    at once with `threads_each`. A batch has at most `batch_subwords` padded subwords. The default gives one batch all
    cores that this process may use, or each of several batches one core. With `by_length`, a batch alone runs with
    `threads_each` where that is faster at its length, which is found out in use.
    """

    threads: int = field(default_factory=usable_cores)
    workers: int = field(default_factory=usable_cores)
    batch_subwords: int = SUBWORDS_AT_ONCE
    spinning: bool = True
    threads_each: int = 1
    by_length: bool = False

    @classmethod
    def of(cls, threads: int) -> Tuning:
        """`threads` for one batch, or one for each of as many batches."""
        return cls(threads, threads)

    def __str__(self) -> str:
        several = f"{self.workers} runs at once of {self.threads_each} each, " if self.workers > 1 else ""
        alone = " alone" if several else ""
        few = f"{self.threads_each} or " if self.by_length and self.threads != self.threads_each else ""
        return f"{few}{self.threads} threads per run{alone}, {several}{self.batch_subwords} subwords per run"


@dataclass(frozen=True)
class BatchShapes:
    """The batches that a session takes: onnxruntime any, an engine those of its profiles.

    `lengths` are those that batches are padded to, () for any; each of `batches` is `(most rows, shortest, longest)`,
    () for any. `ragged` batches are not padded: their sequences lie end to end. Subwords with the id `unnumbered` have
    no position of their own.
    """

    lengths: tuple[int, ...] = ()
    batches: tuple[tuple[int, int, int], ...] = ()
    ragged: bool = False
    unnumbered: int | None = None

    def padded(self, subwords: int) -> int:
        """The smallest length that the subwords fit in; where none does, their number, which the session refuses."""
        return next((length for length in self.lengths if length >= subwords), subwords)

    def most_rows(self, subwords: int, rows: int) -> int:
        """How many of `rows` rows of this length may run together; all where none may: the session refuses them."""
        fitting = [most for most, shortest, longest in self.batches if shortest <= subwords <= longest]
        return min(rows, max(fitting, default=rows))


ANY = BatchShapes()


class Session(Protocol):
    """A loaded model."""

    @property
    def provider(self) -> str:
        """The execution provider of onnxruntime that runs it, or TensorRT."""

    @property
    def library(self) -> str:
        """The library that runs it, with its version."""

    @property
    def shapes(self) -> BatchShapes:
        """The batches that it takes."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know about how it runs."""

    def run(self, feeds: Feeds) -> Logits:
        """The logits (batch, subwords, labels). Raises DeviceError where the run fails."""

    def close(self) -> None:
        """Free the model and its memory."""

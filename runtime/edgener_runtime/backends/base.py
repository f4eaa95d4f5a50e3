"""What every backend shares: the model to open, the tuning it runs with, and the session it becomes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from edgener_runtime.bundle.manifest import VariantEntry
from edgener_runtime.machine.cpu import usable_cores

from .shapes import BatchShapes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Feeds = dict[str, NDArray[np.int64]]
    Logits = NDArray[np.float32]

SUBWORDS_AT_ONCE = 256  # padded subwords of one run; with more, activations outgrow the cache of a core


@dataclass(frozen=True)
class Model:
    """What a session is opened on: a variant in a bundle's folder, its inputs, and the most subwords they will have."""

    bundle: Path
    variant: VariantEntry
    inputs: tuple[str, ...]
    max_length: int

    @property
    def file(self) -> Path:
        """The variant's ONNX file."""
        return self.bundle / self.variant.file.path


@dataclass(frozen=True)
class Tuning:
    """Threads of a batch that runs alone, and whether idle ones of them spin while they wait; how many batches run at
    once where several wait, with how many threads each; padded subwords of a batch.

    The default gives all cores that this process may use to one batch, or a core each to as many.
    """

    threads: int = field(default_factory=usable_cores)
    workers: int = field(default_factory=usable_cores)
    batch_subwords: int = SUBWORDS_AT_ONCE
    spinning: bool = True
    threads_each: int = 1

    @classmethod
    def of(cls, threads: int) -> Tuning:
        """So many threads for one batch, or one each for as many."""
        return cls(threads, threads)

    def __str__(self) -> str:
        several = f"{self.workers} runs at once of {self.threads_each} each, " if self.workers > 1 else ""
        return (
            f"{self.threads} threads a run{' alone' if several else ''}, {several}{self.batch_subwords} subwords a run"
        )


class Session(Protocol):
    """A model that is loaded: what really runs it, by which library, on which batches, and what else to know of it."""

    @property
    def provider(self) -> str:
        """An execution provider of onnxruntime, or TensorRT."""

    @property
    def library(self) -> str:
        """The library that runs it, with its version."""

    @property
    def shapes(self) -> BatchShapes:
        """The batches it takes."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know of how it runs."""

    def run(self, feeds: Feeds) -> Logits:
        """The logits (batch, subwords, labels). Raises DeviceError where the run breaks off."""

    def close(self) -> None:
        """Free all that it holds."""

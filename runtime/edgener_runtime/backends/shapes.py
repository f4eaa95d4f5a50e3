"""The batches that a session takes: onnxruntime any, an engine those of its profiles."""

from __future__ import annotations

from dataclasses import dataclass

# What texts alone are padded to on a GPU, each warmed up and captured as a graph: many take memory, few pad in vain.
LENGTHS = (16, 32, 64, 128, 192, 256, 384, 512)


@dataclass(frozen=True)
class BatchShapes:
    """The lengths that batches are padded to, () for any; and what batches may be, each `(rows, shortest, longest)`.

    `rows` is the most of them, () stands for any.
    """

    lengths: tuple[int, ...] = ()
    batches: tuple[tuple[int, int, int], ...] = ()

    def padded(self, subwords: int) -> int:
        """The least of the lengths that so many subwords fit in; where none does, they stay as many, to be refused."""
        return next((length for length in self.lengths if length >= subwords), subwords)

    def most_rows(self, subwords: int, rows: int) -> int:
        """How many of `rows` rows of so many subwords may run together; all where none may, to be refused."""
        fitting = [most for most, shortest, longest in self.batches if shortest <= subwords <= longest]
        return min(rows, max(fitting, default=rows))


ANY = BatchShapes()

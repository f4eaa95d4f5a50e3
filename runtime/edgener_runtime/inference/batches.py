"""Batches of windows of similar length, padded to the longest of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain
from typing import TYPE_CHECKING

from edgener_runtime.backends.base import ANY, SUBWORDS_AT_ONCE, BatchShapes
from edgener_runtime.bundle.graph import IDS, MASK, TYPES
from edgener_runtime.bundle.manifest import TokenizerSettings
from edgener_runtime.decoding.decode import Scored
from edgener_runtime.text.tokenize import Subwords, TextTokenizer
from edgener_runtime.text.windows import Window

from .ragged import by_sequence, ragged_feeds

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class WindowRow:
    """One window of one text: the index of the text, the window, input ids and token types."""

    text: int
    window: Window
    ids: list[int]
    types: list[int]


@dataclass(frozen=True)
class PendingBatch:
    """Texts that run: their subwords, the batches of their rows, and a call per batch that returns its logits.

    `prefix` is the number of special tokens before a row's subwords.
    """

    encoded: list[Subwords]
    batches: list[list[WindowRow]]
    answers: list[Callable[[], NDArray[np.float32]]]
    prefix: int
    labels: int

    def result(self) -> Scored:
        """Wait for the model, then put the logits in the order of the subwords."""
        return Scored(
            self._logits(),
            list(chain.from_iterable(subwords.offsets for subwords in self.encoded)),
            lambda: list(chain.from_iterable(subwords.continues for subwords in self.encoded)),
            [len(subwords.ids) for subwords in self.encoded],
        )

    def _logits(self) -> NDArray[np.float32]:
        import numpy as np

        counts = [len(subwords.ids) for subwords in self.encoded]
        if [len(batch) for batch in self.batches] == [1]:  # a single row: already in order
            (scores,) = _by_row(self.answers[0](), self.batches[0])
            return scores[self.prefix : self.prefix + sum(counts)]
        firsts = [0, *accumulate(counts)]
        logits = np.empty((firsts[-1], self.labels), dtype=np.float32)
        for batch, answer in zip(self.batches, self.answers, strict=True):
            for row, scores in zip(batch, _by_row(answer(), batch), strict=True):
                start, end = row.window.keep_start, row.window.keep_end
                shift = self.prefix - row.window.start
                at = firsts[row.text]
                logits[at + start : at + end] = scores[start + shift : end + shift]
        return logits


def _by_row(scores: NDArray[np.float32], batch: Sequence[WindowRow]) -> Iterable[NDArray[np.float32]]:
    """The logits of each row, of a padded batch or of a ragged one."""
    return scores if scores.ndim == 3 else by_sequence(scores, (len(row.ids) for row in batch))


def rows_of(tokenizer: TextTokenizer, encoded: Sequence[Subwords]) -> list[WindowRow]:
    """The windows of each text; a text without subwords has no window."""
    rows = (WindowRow(i, *parts) for i, subwords in enumerate(encoded) for parts in tokenizer.windows(subwords))
    return [row for row in rows if row.window.end]


def batches(
    rows: Iterable[WindowRow], subwords: int = SUBWORDS_AT_ONCE, shapes: BatchShapes = ANY
) -> Iterator[list[WindowRow]]:
    """Batches of at most `subwords` padded subwords, or of a single row.

    Padded rows are of similar length; those of ragged batches stay in their order.
    """
    batch: list[WindowRow] = []
    total = 0
    for row in rows if shapes.ragged else sorted(rows, key=lambda row: len(row.ids)):
        total = total + len(row.ids) if shapes.ragged else len(row.ids) * (len(batch) + 1)
        if batch and total > subwords:
            yield batch
            batch, total = [], len(row.ids)
        batch.append(row)
    if batch:
        yield batch


def feeds(
    batch: Sequence[WindowRow], settings: TokenizerSettings, padding: int = 0, shapes: BatchShapes = ANY
) -> dict[str, NDArray[np.int64]]:
    """The graph's inputs, each int64 (rows, longest), with `padding` more positions up to the model's maximum length.

    `shapes` gives the lengths that the session pads to, or says that it takes ragged batches, which have no padding.
    """
    import numpy as np

    if shapes.ragged:
        types = [row.types for row in batch] if TYPES in settings.inputs else None
        return ragged_feeds([row.ids for row in batch], types, shapes.unnumbered)
    longest = max(len(row.ids) for row in batch)
    longest = shapes.padded(max(longest, min(longest + padding, settings.max_length)))
    fill = [longest - len(row.ids) for row in batch]
    rows = {
        IDS: [row.ids + [settings.pad_id] * more for row, more in zip(batch, fill, strict=True)],
        MASK: [[1] * len(row.ids) + [0] * more for row, more in zip(batch, fill, strict=True)],
        TYPES: [row.types + [0] * more for row, more in zip(batch, fill, strict=True)],
    }
    return {name: np.array(rows[name], dtype=np.int64) for name in settings.inputs}

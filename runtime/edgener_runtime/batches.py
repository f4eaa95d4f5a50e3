"""Windows of near lengths run together, padded to the longest of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .decode import Scored
from .manifest import TokenizerSettings
from .shapes import ANY, Shapes
from .tokenize import Subwords, TextTokenizer
from .windows import Window

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SUBWORDS_AT_ONCE = 256  # padded subwords of one run; with more, activations outgrow the cache of a core


@dataclass(frozen=True)
class Row:
    """One window of one text, as the model takes it."""

    text: int
    window: Window
    ids: list[int]
    types: list[int]


@dataclass(frozen=True)
class Begun:
    """Texts on their way through the model: their subwords, their rows in batches, and what gives each one's logits.

    A row's subwords stand behind `ahead` special tokens.
    """

    encoded: list[Subwords]
    together: list[list[Row]]
    answers: list[Callable[[], NDArray[np.float32]]]
    ahead: int
    labels: int

    def finish(self) -> Scored:
        """Wait for the model, and write each subword's logits at its place."""
        import numpy as np

        counts = np.array([len(subwords.ids) for subwords in self.encoded])
        firsts = counts.cumsum() - counts
        logits = np.empty((counts.sum(), self.labels), dtype=np.float32)
        for batch, answer in zip(self.together, self.answers, strict=True):
            for row, scores in zip(batch, answer(), strict=True):
                start, end = row.window.keep_start, row.window.keep_end
                shift = self.ahead - row.window.start
                at = firsts[row.text]
                logits[at + start : at + end] = scores[start + shift : end + shift]
        offsets = [pair for subwords in self.encoded for pair in subwords.offsets]
        continues = [goes_on for subwords in self.encoded for goes_on in subwords.continues]
        return Scored(logits, np.array(offsets, dtype=np.int64).reshape(-1, 2), np.array(continues, dtype=bool), counts)


def rows_of(tokenizer: TextTokenizer, encoded: Sequence[Subwords]) -> list[Row]:
    """The windows of each text; a text without subwords has none."""
    rows = (Row(i, *parts) for i, subwords in enumerate(encoded) for parts in tokenizer.windows(subwords))
    return [row for row in rows if row.window.end]


def batches(rows: Iterable[Row], subwords: int = SUBWORDS_AT_ONCE) -> Iterator[list[Row]]:
    """Rows of near lengths, at most `subwords` together, padding counted, or one."""
    batch: list[Row] = []
    for row in sorted(rows, key=lambda row: len(row.ids)):
        if batch and len(row.ids) * (len(batch) + 1) > subwords:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


def feeds(
    batch: Sequence[Row], settings: TokenizerSettings, padding: int = 0, shapes: Shapes = ANY
) -> dict[str, NDArray[np.int64]]:
    """The graph's inputs, each int64 (rows, longest), with `padding` more positions as far as the model has them.

    `shapes` says what lengths the session takes.
    """
    import numpy as np

    longest = max(len(row.ids) for row in batch)
    longest = shapes.padded(max(longest, min(longest + padding, settings.max_length)))
    arrays = {
        "input_ids": np.full((len(batch), longest), settings.pad_id, dtype=np.int64),
        "attention_mask": np.zeros((len(batch), longest), dtype=np.int64),
        "token_type_ids": np.zeros((len(batch), longest), dtype=np.int64),
    }
    for i, row in enumerate(batch):
        arrays["input_ids"][i, : len(row.ids)] = row.ids
        arrays["attention_mask"][i, : len(row.ids)] = 1
        arrays["token_type_ids"][i, : len(row.ids)] = row.types
    return {name: arrays[name] for name in settings.inputs}

"""Windows of near lengths run together, padded to the longest of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .manifest import TokenizerSettings
from .tokenize import Subwords, TextTokenizer
from .windows import Window

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SUBWORDS_AT_ONCE = 512  # padded subwords of one run; with more, activations outgrow the cache of a core


@dataclass(frozen=True)
class Row:
    """One window of one text, as the model takes it."""

    text: int
    window: Window
    ids: list[int]
    types: list[int]


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


def feeds(batch: Sequence[Row], settings: TokenizerSettings, padding: int = 0) -> dict[str, NDArray[np.int64]]:
    """The graph's inputs, each int64 (rows, longest), with `padding` more positions as far as the model has them."""
    import numpy as np

    longest = max(len(row.ids) for row in batch)
    longest = max(longest, min(longest + padding, settings.max_length))
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

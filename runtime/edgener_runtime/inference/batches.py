"""Windows of near lengths run together, padded to the longest of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain
from typing import TYPE_CHECKING

from edgener_runtime.backends.shapes import ANY, Shapes
from edgener_runtime.bundle.manifest import TokenizerSettings
from edgener_runtime.decoding.decode import Scored
from edgener_runtime.text.tokenize import Subwords, TextTokenizer
from edgener_runtime.text.windows import Window

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


from edgener_runtime.backends.base import SUBWORDS_AT_ONCE


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
        """Wait for the model, and put each subword's logits at its place."""
        return Scored(
            self._logits(),
            list(chain.from_iterable(subwords.offsets for subwords in self.encoded)),
            lambda: list(chain.from_iterable(subwords.continues for subwords in self.encoded)),
            [len(subwords.ids) for subwords in self.encoded],
        )

    def _logits(self) -> NDArray[np.float32]:
        import numpy as np

        counts = [len(subwords.ids) for subwords in self.encoded]
        if [len(batch) for batch in self.together] == [1]:  # all there is, in its order already
            return self.answers[0]()[0, self.ahead : self.ahead + sum(counts)]
        firsts = [0, *accumulate(counts)]
        logits = np.empty((firsts[-1], self.labels), dtype=np.float32)
        for batch, answer in zip(self.together, self.answers, strict=True):
            for row, scores in zip(batch, answer(), strict=True):
                start, end = row.window.keep_start, row.window.keep_end
                shift = self.ahead - row.window.start
                at = firsts[row.text]
                logits[at + start : at + end] = scores[start + shift : end + shift]
        return logits


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
    fill = [longest - len(row.ids) for row in batch]
    rows = {
        "input_ids": [row.ids + [settings.pad_id] * more for row, more in zip(batch, fill, strict=True)],
        "attention_mask": [[1] * len(row.ids) + [0] * more for row, more in zip(batch, fill, strict=True)],
        "token_type_ids": [row.types + [0] * more for row, more in zip(batch, fill, strict=True)],
    }
    return {name: np.array(rows[name], dtype=np.int64) for name in settings.inputs}

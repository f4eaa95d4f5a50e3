"""Pre-tokenised sentences: one label per word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from edgener_runtime.decoding.decode import Decoder, Scored
from edgener_runtime.decoding.entity import Decoding
from edgener_runtime.errors import UserInputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Words:
    """A sentence's text, and the characters at which its words start (words,)."""

    text: str
    starts: list[int]


def join(words: Sequence[str]) -> Words:
    """Words joined by spaces. Raises UserInputError where a string was given in place of its words."""
    if isinstance(words, str):
        raise UserInputError(f"found the text {words[:40]!r}, expected a list of its words", "Split it first.")
    starts, at = [], 0
    for word in words:
        starts.append(at)
        at += len(word) + 1
    return Words(" ".join(words), starts)


def labels_of(sentences: Sequence[Words], scored: Scored, decoder: Decoder, decoding: Decoding) -> list[list[str]]:
    """One label per word of each sentence; the label outside of entities where a word has no subwords.

    `decoding.aggregation` is the strategy for a word of several subwords: first, average or max.
    """
    import numpy as np

    decoding = decoder.scores.completed(decoding)
    if decoding.aggregation in ("none", "simple"):
        raise UserInputError(
            f"aggregation {decoding.aggregation!r} labels subwords, words were given",
            "Choose one of: first, average, max",
        )
    numbers = _word_of_each_subword(sentences, scored)
    continues = np.append(False, numbers[1:] == numbers[:-1])[: len(numbers)]
    labels = decoder.labels_of_words(replace(scored, continues=lambda: continues.tolist()), decoding)
    found = [[decoder.label_set.outside] * len(sentence.starts) for sentence in sentences]
    positions = [(row, column) for row, sentence in enumerate(sentences) for column in range(-1, len(sentence.starts))]
    for number, label in zip(numbers[~continues].tolist(), labels, strict=True):
        row, column = positions[number]
        if column >= 0:
            found[row][column] = label
    return found


def _word_of_each_subword(sentences: Sequence[Words], scored: Scored) -> NDArray[np.int64]:
    """The word of each subword (subwords,), numbered through all sentences; each also has one before its first."""
    import numpy as np

    all_ends = np.array([end for _, end in scored.offsets], dtype=np.int64)  # a start may be the space before the word
    numbers, subword, word = [], 0, 0
    for sentence, count in zip(sentences, scored.counts, strict=True):
        ends = all_ends[subword : subword + count]
        numbers.append(word + np.searchsorted(sentence.starts, ends - 1, side="right"))
        subword, word = subword + count, word + len(sentence.starts) + 1
    return np.concatenate([np.empty(0, dtype=np.int64), *numbers]).astype(np.int64)

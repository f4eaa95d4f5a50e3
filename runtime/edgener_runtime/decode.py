"""Logits to entities: the aggregation strategies of transformers' token-classification pipeline, in numpy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .errors import UserInputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Ints = NDArray[np.int64]

AGGREGATIONS = ("none", "simple", "first", "average", "max")
OUTSIDE = "O"


@dataclass(frozen=True)
class Entity:
    """An entity of a text: label, first and past-the-end character, score (0 to 1) and `text[start:end]`."""

    label: str
    start: int
    end: int
    score: float
    text: str


@dataclass(frozen=True)
class _Pieces:
    """Subwords or words in order: label number, score, and characters `start` to `end` of each."""

    labels: Ints
    scores: Floats
    starts: Ints
    ends: Ints


class Decoder:
    """Turns the logits of a text into entities, for one set of labels."""

    def __init__(self, labels: Sequence[str]) -> None:
        import numpy as np

        self.labels = tuple(labels)
        types = [label[2:] if label[:2] in ("B-", "I-") else label for label in labels]
        self._types = np.array([sorted(set(types)).index(name) for name in types])
        self._begins = np.array([label.startswith("B-") for label in labels])
        self._names = [label.split("-", 1)[-1] for label in labels]
        self._outside = np.array([label == OUTSIDE for label in labels])

    def entities(
        self, text: str, logits: Floats, offsets: Ints, continues: Sequence[bool], aggregation: str = "simple"
    ) -> list[Entity]:
        """The entities of a text from the (subwords, labels) logits and (subwords, 2) character offsets.

        `continues` marks subwords that go on a word. Raises UserInputError for an unknown `aggregation`.
        """
        if aggregation not in AGGREGATIONS:
            raise UserInputError(
                f"there is no aggregation {aggregation!r}", f"Choose one of: {', '.join(AGGREGATIONS)}"
            )
        if not len(logits):
            return []
        pieces = self._words(softmax(logits), offsets, continues, aggregation)
        if aggregation == "none":
            return self._tagged(text, pieces)
        return self._grouped(text, pieces)

    def _words(self, scores: Floats, offsets: Ints, continues: Sequence[bool], aggregation: str) -> _Pieces:
        """Subwords as they are for none and simple, else words with one label each."""
        import numpy as np

        if aggregation in ("none", "simple"):
            return _pieces(scores, offsets[:, 0], offsets[:, 1])
        begins = ~np.asarray(continues, dtype=bool)
        begins[0] = True
        first = np.flatnonzero(begins)
        last = np.append(first[1:], len(scores)) - 1
        return _pieces(_WORD_SCORES[aggregation](scores, first), offsets[first, 0], offsets[last, 1])

    def _tagged(self, text: str, pieces: _Pieces) -> list[Entity]:
        import numpy as np

        inside = np.flatnonzero(~self._outside[pieces.labels])
        return [
            _entity(text, self.labels[pieces.labels[i]], pieces.starts[i], pieces.ends[i], pieces.scores[i])
            for i in inside
        ]

    def _grouped(self, text: str, pieces: _Pieces) -> list[Entity]:
        """Neighbours of one type become one entity, unless the latter begins one; its score is their mean."""
        import numpy as np

        types = self._types[pieces.labels]
        breaks = self._begins[pieces.labels].copy()
        breaks[1:] |= types[1:] != types[:-1]
        breaks[0] = True
        first = np.flatnonzero(breaks)
        past = np.append(first[1:], len(types))
        return [
            _entity(
                text, self._names[pieces.labels[i]], pieces.starts[i], pieces.ends[j - 1], pieces.scores[i:j].mean()
            )
            for i, j in zip(first, past, strict=True)
            if not self._outside[pieces.labels[i]]
        ]


def softmax(logits: Floats) -> Floats:
    """Probabilities along the last axis, without overflow."""
    import numpy as np

    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    probabilities: Floats = powers / powers.sum(axis=-1, keepdims=True)
    return probabilities


def _pieces(scores: Floats, starts: Ints, ends: Ints) -> _Pieces:
    return _Pieces(scores.argmax(axis=-1), scores.max(axis=-1), starts, ends)


def _first_scores(scores: Floats, first: Ints) -> Floats:
    chosen: Floats = scores[first]
    return chosen


def _mean_scores(scores: Floats, first: Ints) -> Floats:
    import numpy as np

    counts = np.diff(np.append(first, len(scores)))
    return (np.add.reduceat(scores, first, axis=0) / counts[:, None]).astype(np.float32)


def _surest_scores(scores: Floats, first: Ints) -> Floats:
    """The scores of each word's surest subword, the earlier of two that are equally sure."""
    import numpy as np

    surest = scores.max(axis=-1)
    words = np.repeat(np.arange(len(first)), np.diff(np.append(first, len(scores))))
    hits = np.flatnonzero(surest == np.maximum.reduceat(surest, first)[words])
    chosen: Floats = scores[hits[np.unique(words[hits], return_index=True)[1]]]
    return chosen


_WORD_SCORES = {"first": _first_scores, "average": _mean_scores, "max": _surest_scores}


def _entity(text: str, label: str, start: int, end: int, score: float) -> Entity:
    return Entity(label, int(start), int(end), float(score), text[int(start) : int(end)])

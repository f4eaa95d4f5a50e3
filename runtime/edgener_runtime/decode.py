"""Logits to entities in numpy, many texts at once: the strategies of transformers' token-classification pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .entity import PLAIN, Decoding, Entity
from .errors import UserInputError
from .offsets import in_units
from .viterbi import AllowedPaths

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Bools = NDArray[np.bool_]
    Floats = NDArray[np.float32]
    Ints = NDArray[np.int64]

OUTSIDE = "O"


@dataclass(frozen=True)
class Scored:
    """Texts' subwords in one row: logits (n, labels), character offsets (n, 2), which go on a word (n,), counts.

    `counts` (texts,) says how many subwords each text has.
    """

    logits: Floats
    offsets: Ints
    continues: Bools
    counts: Ints


@dataclass(frozen=True)
class _Pieces:
    """Subwords or words in one row: label number, score, characters `starts` to `ends`, and number of the text."""

    labels: Ints
    scores: Floats
    starts: Ints
    ends: Ints
    texts: Ints


class Decoder:
    """Turns the logits of texts into entities, for one set of labels."""

    def __init__(self, labels: Sequence[str]) -> None:
        import numpy as np

        self.labels = tuple(labels)
        types = [label[2:] if label[:2] in ("B-", "I-") else label for label in labels]
        numbers = {name: number for number, name in enumerate(sorted(set(types)))}
        self._types = np.array([numbers[name] for name in types])
        self._begins = np.array([label.startswith("B-") for label in labels])
        self._names = [label.split("-", 1)[-1] for label in labels]
        self._outside = np.array([label == OUTSIDE for label in labels])
        self._nothing = np.zeros(len(labels), dtype=np.float32)
        self._paths = AllowedPaths(labels)

    def entities(self, texts: Sequence[str], scored: Scored, decoding: Decoding = PLAIN) -> list[list[Entity]]:
        """The entities of each text, in order. Raises UserInputError for a threshold of a label that there is not."""
        import numpy as np

        least = self._least(decoding)
        pieces = self._pieces(scored, decoding)
        if not len(pieces.labels):
            return [[] for _ in texts]
        firsts, lasts, scores = (_each if decoding.aggregation == "none" else self._grouped)(pieces)
        labels = pieces.labels[firsts]
        kept = np.flatnonzero(~self._outside[labels] & (scores >= least[labels]))
        names = self.labels if decoding.aggregation == "none" else self._names
        found: list[list[Entity]] = [[] for _ in texts]
        for text, label, start, end, score in zip(
            pieces.texts[firsts[kept]].tolist(), labels[kept].tolist(), pieces.starts[firsts[kept]].tolist(),
            pieces.ends[lasts[kept]].tolist(), scores[kept].tolist(), strict=True,
        ):  # fmt: skip
            found[text].append(Entity(names[label], start, end, score, texts[text][start:end]))
        return [_in_units(entities, text, decoding.offsets) for entities, text in zip(found, texts, strict=True)]

    def labels_of_words(self, scored: Scored, decoding: Decoding) -> list[str]:
        """The label of each word, words beginning where a subword does not go on one."""
        return [self.labels[number] for number in self._pieces(scored, decoding).labels.tolist()]

    def _least(self, decoding: Decoding) -> Floats:
        """The least score of an entity that begins with each label (labels,)."""
        import numpy as np

        if not decoding.thresholds:
            return self._nothing
        for name in decoding.thresholds:
            if name not in self._names:
                known = sorted(set(self._names) - {OUTSIDE})
                raise UserInputError(f"there is no label {name!r} to give a threshold", f"Labels: {', '.join(known)}")
        return np.array([decoding.thresholds.get(name, 0) for name in self._names], dtype=np.float32)

    def _pieces(self, scored: Scored, decoding: Decoding) -> _Pieces:
        """Subwords as they are for none and simple, else words with one label each."""
        import numpy as np

        scores = softmax(scored.logits)
        texts = np.repeat(np.arange(len(scored.counts)), scored.counts)
        starts, ends = scored.offsets[:, 0], scored.offsets[:, 1]
        if decoding.aggregation in _WORD_SCORES and len(scores):
            begins = ~scored.continues
            begins[_firsts(texts)] = True
            first = np.flatnonzero(begins)
            last = np.append(first[1:], len(scores)) - 1
            scores = _WORD_SCORES[decoding.aggregation](scores, first)
            starts, ends, texts = starts[first], ends[last], texts[first]
        labels = self._paths.best(scores, _firsts(texts)) if decoding.strict and len(scores) else scores.argmax(axis=-1)
        return _Pieces(labels, scores[np.arange(len(scores)), labels], starts, ends, texts)

    def _grouped(self, pieces: _Pieces) -> tuple[Ints, Ints, Floats]:
        """First and last piece of each entity and its mean score: neighbours of a type, until one begins another."""
        import numpy as np

        types = self._types[pieces.labels]
        breaks = self._begins[pieces.labels]
        breaks[1:] |= (types[1:] != types[:-1]) | (pieces.texts[1:] != pieces.texts[:-1])
        breaks[0] = True
        firsts = np.flatnonzero(breaks)
        lasts = np.append(firsts[1:], len(types)) - 1
        means = np.add.reduceat(pieces.scores, firsts) / (lasts - firsts + 1)
        return firsts, lasts, means.astype(np.float32)


def _each(pieces: _Pieces) -> tuple[Ints, Ints, Floats]:
    """Every piece as an entity of its own."""
    import numpy as np

    numbers = np.arange(len(pieces.labels))
    return numbers, numbers, pieces.scores


def softmax(logits: Floats) -> Floats:
    """Probabilities along the last axis, without overflow."""
    import numpy as np

    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    probabilities: Floats = powers / powers.sum(axis=-1, keepdims=True)
    return probabilities


def _firsts(texts: Ints) -> Ints:
    """The number of each text's first piece, by the text of each."""
    import numpy as np

    return np.flatnonzero(np.append(True, texts[1:] != texts[:-1]))


def _in_units(entities: list[Entity], text: str, offsets: str) -> list[Entity]:
    if offsets == "characters":
        return entities
    spans = in_units(((entity.start, entity.end) for entity in entities), text, offsets)
    return [replace(entity, start=start, end=end) for entity, (start, end) in zip(entities, spans, strict=True)]


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

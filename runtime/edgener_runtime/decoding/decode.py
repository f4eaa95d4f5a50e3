"""Logits to entities, many texts at once: the strategies of transformers' token-classification pipeline.

Few subwords are in an entity. numpy finds those, and Python processes them: after a run of a model, the code of numpy's
functions is no longer in the CPU's cache, and a call takes longer than the few entities of a text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

from edgener_runtime.errors import UserInputError

from .entity import AS_TRAINED, PLAIN, Decoding, Entity, ScoreSettings
from .offsets import in_units
from .schemes import OUTSIDE, LabelSet
from .viterbi import AllowedPaths

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Scored:
    """Subwords of several texts in one sequence: logits (n, labels), character offsets, and the texts' counts.

    `continues` returns whether each subword continues a word; it is called when needed, as not every decoding uses it.
    `counts` are the numbers of subwords of the texts.
    """

    logits: Floats
    offsets: Sequence[tuple[int, int]]
    continues: Callable[[], Sequence[bool]]
    counts: Sequence[int]


@dataclass(frozen=True)
class _Pieces:
    """Subwords or words in one sequence: the numbers of their first and last subwords, and a label for each.

    `scores` (pieces, labels) are probabilities at the temperature, or logits where only the best label was needed so
    far. `within` says of each subword whether it continues a word; it is empty where that does not matter.
    """

    firsts: Sequence[int]
    lasts: Sequence[int]
    labels: list[int]
    scores: Floats
    are_logits: bool
    within: Sequence[bool] = ()


class _Piece(NamedTuple):
    """A subword or word in an entity: its number, its text's number, label, score, characters, and `within`."""

    number: int
    text: int
    label: int
    score: float
    start: int
    end: int
    within: bool


class Decoder:
    """Turns the logits of texts into entities, for one set of labels and the score settings of a bundle.

    The labels are chosen by the logits as they are, so that no entity depends on the temperature but for its score.
    """

    def __init__(self, label_set: LabelSet, scores: ScoreSettings = AS_TRAINED) -> None:
        self.label_set = label_set
        self.scores = scores
        tags = label_set.tags
        self._inside = [tag != OUTSIDE for tag in tags]
        self._types = [tag[2:] for tag in tags]
        # a piece continues the entity of the piece before it if what it continues is what that one leaves open
        self._continued = [tag[2:] if tag[0] in "IE" else None for tag in tags]
        self._open = [tag[2:] if tag[0] in "BI" else "" for tag in tags]
        # the subwords of a word that ends an entity, or is one, may all have its label
        self._repeats = any(tag[0] in "ES" for tag in tags)
        self._ignored = [number for number, name in enumerate(label_set.names) if name in label_set.ignored]
        self._paths = AllowedPaths(label_set)

    def entities(self, texts: Sequence[str], scored: Scored, decoding: Decoding = PLAIN) -> list[list[Entity]]:
        """The entities of each text, in order. Raises UserInputError for a threshold of an unknown label."""
        decoding = self.scores.completed(decoding)
        minimum = self._minimum_scores(decoding)
        alone = decoding.aggregation == "none"
        names = self.label_set.names if alone else self._types
        pieces = self._pieces_inside(scored, decoding)
        found: list[list[Entity]] = [[] for _ in texts]
        for group in ([piece] for piece in pieces) if alone else self._grouped(pieces):
            first, score = group[0], sum(piece.score for piece in group) / len(group)
            if score >= minimum.get(first.label, 0):
                start, end = first.start, group[-1].end
                found[first.text].append(Entity(names[first.label], start, end, score, texts[first.text][start:end]))
        if decoding.offsets == "characters":
            return found
        return [_in_units(entities, text, decoding.offsets) for entities, text in zip(found, texts, strict=True)]

    def labels_of_words(self, scored: Scored, decoding: Decoding) -> list[str]:
        """The label of each word; a word begins at each subword that does not continue one."""
        return [self.label_set.names[number] for number in self._pieces(scored, decoding).labels]

    def _minimum_scores(self, decoding: Decoding) -> dict[int, float]:
        """Labels to the minimum score of an entity that begins with them, where there is one."""
        thresholds = decoding.thresholds or {}
        for name in thresholds:
            if name not in (known := self.label_set.types):
                raise UserInputError(f"there is no label {name!r} to give a threshold", f"Labels: {', '.join(known)}")
        if not thresholds:
            return {}
        return {number: thresholds.get(name, 0) for number, name in enumerate(self._types)}

    def _pieces(self, scored: Scored, decoding: Decoding) -> _Pieces:
        """Subwords for none and simple, otherwise words with one label each."""
        import numpy as np

        scores, are_logits = scored.logits, True
        calibrated = scores  # where they are logits, the temperature is for the few that are shown
        firsts: Sequence[int] = range(len(scores))
        lasts, within = firsts, self._within(scored, decoding)
        if (begins := self._begins(scored, decoding)) is not None:
            firsts, lasts = begins.tolist(), [*(begins[1:] - 1).tolist(), len(scores) - 1]
            within = [within[first] for first in firsts] if within else within
            if are_logits := decoding.aggregation not in _WORD_SCORES:
                scores = calibrated = scores[begins]
            else:
                scores, calibrated = self._word_scores(scores, begins, _WORD_SCORES[str(decoding.aggregation)])
        if not decoding.strict or not len(scores):
            return _Pieces(firsts, lasts, scores.argmax(axis=-1).tolist(), calibrated, are_logits, within)
        probabilities = softmax(scores) if are_logits else scores
        labels = self._paths.best(probabilities, np.searchsorted(firsts, _firsts_of_texts(scored)), within)
        return _Pieces(firsts, lasts, labels.tolist(), calibrated, are_logits, within)

    def _word_scores(
        self, logits: Floats, begins: Ints, score: Callable[[Floats, Ints, Floats], Floats]
    ) -> tuple[Floats, Floats]:
        """Probabilities (words, labels) twice: those that choose the labels, and those at the temperature."""
        plain = softmax(logits)
        scores = score(plain, begins, plain)
        if self.scores.temperature == 1:
            return scores, scores
        return scores, score(softmax(logits, self.scores.temperature), begins, plain)

    def _begins(self, scored: Scored, decoding: Decoding) -> Ints | None:
        """The numbers of the subwords that begin a word; without words those that begin a piece, None for all.

        A label such as X, which marks later subwords of a word, joins them to the one before.
        """
        import numpy as np

        if not len(scored.logits) or decoding.aggregation == "none":
            return None
        if decoding.aggregation in _WORD_SCORES:
            return _firsts_of_words(scored)
        if not self._ignored:
            return None
        ignored = np.isin(scored.logits.argmax(axis=-1), self._ignored)
        return np.union1d(np.flatnonzero(~ignored), _firsts_of_words(scored))

    def _within(self, scored: Scored, decoding: Decoding) -> Sequence[bool]:
        """Whether each subword continues a word, where the subwords of a word may repeat its label."""
        return scored.continues() if self._repeats and decoding.aggregation not in _WORD_SCORES else ()

    def _pieces_inside(self, scored: Scored, decoding: Decoding) -> Iterator[_Piece]:
        """The pieces with the label of an entity, in order."""
        pieces = self._pieces(scored, decoding)
        inside = [number for number, label in enumerate(pieces.labels) if self._inside[label]]
        if not inside:
            return
        scores = pieces.scores[inside]
        probabilities = (softmax(scores, self.scores.temperature) if pieces.are_logits else scores).tolist()
        ends, text = list(accumulate(scored.counts)), 0
        for number, of_labels in zip(inside, probabilities, strict=True):
            label, first, last = pieces.labels[number], pieces.firsts[number], pieces.lasts[number]
            while first >= ends[text]:
                text += 1
            start, end = scored.offsets[first][0], scored.offsets[last][1]
            within = bool(pieces.within) and pieces.within[number]
            yield _Piece(number, text, label, of_labels[label], start, end, within)

    def _grouped(self, pieces: Iterator[_Piece]) -> Iterator[list[_Piece]]:
        """The pieces of each entity: neighbours of one type, until one begins another entity."""
        group: list[_Piece] = []
        for piece in pieces:
            if group and not self._continues(group[-1], piece):
                yield group
                group = []
            group.append(piece)
        if group:
            yield group

    def _continues(self, before: _Piece, piece: _Piece) -> bool:
        beside = piece.number == before.number + 1 and piece.text == before.text
        if not beside or self._continued[piece.label] == self._open[before.label]:
            return beside
        return piece.within and self._types[piece.label] == self._types[before.label]


def softmax(logits: Floats, temperature: float = 1.0) -> Floats:
    """Probabilities along the last axis of the logits divided by a temperature, without overflow."""
    import numpy as np

    logits = logits if temperature == 1 else logits / temperature
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    probabilities: Floats = powers / powers.sum(axis=-1, keepdims=True)
    return probabilities


def _firsts_of_texts(scored: Scored) -> Ints:
    """The number of the first subword of each text that has any."""
    import numpy as np

    counts = np.array([count for count in scored.counts if count])
    firsts: Ints = counts.cumsum() - counts
    return firsts


def _firsts_of_words(scored: Scored) -> Ints:
    """The number of the first subword of each word; no word continues in another text."""
    import numpy as np

    begins = ~np.array(scored.continues(), dtype=bool)
    begins[_firsts_of_texts(scored)] = True
    return np.flatnonzero(begins)


def _in_units(entities: list[Entity], text: str, offsets: str) -> list[Entity]:
    spans = in_units(((entity.start, entity.end) for entity in entities), text, offsets)
    return [replace(entity, start=start, end=end) for entity, (start, end) in zip(entities, spans, strict=True)]


def _first_scores(scores: Floats, first: Ints, _: Floats) -> Floats:
    chosen: Floats = scores[first]
    return chosen


def _mean_scores(scores: Floats, first: Ints, _: Floats) -> Floats:
    import numpy as np

    counts = np.diff(np.append(first, len(scores)))
    return (np.add.reduceat(scores, first, axis=0) / counts[:, None]).astype(np.float32)


def _surest_scores(scores: Floats, first: Ints, plain: Floats) -> Floats:
    """The scores of each word's surest subword by `plain`, the earlier of two that are equally sure."""
    import numpy as np

    surest = plain.max(axis=-1)
    words = np.repeat(np.arange(len(first)), np.diff(np.append(first, len(scores))))
    hits = np.flatnonzero(surest == np.maximum.reduceat(surest, first)[words])
    chosen: Floats = scores[hits[np.unique(words[hits], return_index=True)[1]]]
    return chosen


_WORD_SCORES = {"first": _first_scores, "average": _mean_scores, "max": _surest_scores}

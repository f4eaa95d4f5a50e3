"""Labelled model inputs from sentences: the first subword of a token has its label, the others are ignored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edgener.data.align import first_subwords, subword_tokens
from edgener.data.tags import inside
from edgener.data.types import Sentence
from edgener.encoding import EncodedText, TextEncoder
from edgener_runtime.text.windows import Window

IGNORED = -100


@dataclass(frozen=True)
class Features:
    """Model inputs with labels, one per window, and the sentence number of each."""

    rows: list[dict[str, Any]]
    sentences: list[int]

    def by_length(self) -> Features:
        """Longest first, so that batches have little padding; windows of a sentence stay in order."""
        order = sorted(range(len(self.rows)), key=lambda row: -len(self.rows[row]["input_ids"]))
        return Features([self.rows[row] for row in order], [self.sentences[row] for row in order])


def build_features(
    encoder: TextEncoder, sentences: Sequence[Sentence], labels: Sequence[str], all_subwords: bool = False,
    words: bool = False,
) -> Features:  # fmt: skip
    """Encode sentences; one longer than the model becomes several windows, and each token has its label in one.

    With `words`, the first subword of each token also has the token's number, counted over all sentences.
    """
    label_ids = {label: index for index, label in enumerate(labels)}
    rows: list[dict[str, Any]] = []
    origins: list[int] = []
    count = 0
    encoded = encoder.encode([sentence.text for sentence in sentences])
    for number, (sentence, text) in enumerate(zip(sentences, encoded, strict=True)):
        targets = {"labels": _subword_labels(sentence, text, label_ids, all_subwords)}
        if words:
            targets["words"] = _subword_words(sentence, text, count)
            count += len(sentence.offsets)
        for window, inputs in encoder.windows(text):
            rows.append(inputs | {name: _within(window, own, encoder) for name, own in targets.items()})
            origins.append(number)
    return Features(rows, origins)


def _within(window: Window, targets: list[int], encoder: TextEncoder) -> list[int]:
    """The targets of the subwords that a window keeps; the others of it, and special tokens, are ignored."""
    own = [
        target if window.keep_start <= position < window.keep_end else IGNORED
        for position, target in enumerate(targets[window.start : window.end], start=window.start)
    ]
    return [IGNORED] * len(encoder.prefix) + own + [IGNORED] * len(encoder.suffix)


def _subword_words(sentence: Sentence, text: EncodedText, before: int) -> list[int]:
    numbers = [IGNORED] * len(text.ids)
    for token, subword in enumerate(first_subwords(sentence.offsets, text.offsets, sentence.text)):
        if subword >= 0:
            numbers[subword] = before + token
    return numbers


def _subword_labels(sentence: Sentence, text: EncodedText, label_ids: dict[str, int], all_subwords: bool) -> list[int]:
    targets = [IGNORED] * len(text.ids)
    tags = sentence.tags()
    if all_subwords:
        for subword, token in enumerate(subword_tokens(sentence.offsets, text.offsets, sentence.text)):
            if token >= 0:
                targets[subword] = label_ids[inside(tags[token])]
    for token, subword in enumerate(first_subwords(sentence.offsets, text.offsets, sentence.text)):
        if subword >= 0:
            targets[subword] = label_ids[tags[token]]
    return targets

"""Labelled model inputs from sentences: the first subword of a token has its label, the others are ignored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edgener.data.align import first_subwords, subword_tokens
from edgener.data.tags import inside
from edgener.data.types import Sentence
from edgener.encoding import EncodedText, TextEncoder

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
    encoder: TextEncoder, sentences: Sequence[Sentence], labels: Sequence[str], all_subwords: bool = False
) -> Features:
    """Encode sentences; one longer than the model becomes several windows, and each token has its label in one."""
    label_ids = {label: index for index, label in enumerate(labels)}
    rows: list[dict[str, Any]] = []
    origins: list[int] = []
    encoded = encoder.encode([sentence.text for sentence in sentences])
    for number, (sentence, text) in enumerate(zip(sentences, encoded, strict=True)):
        targets = _subword_labels(sentence, text, label_ids, all_subwords)
        for window, inputs in encoder.windows(text):
            own = [
                target if window.keep_start <= position < window.keep_end else IGNORED
                for position, target in enumerate(targets[window.start : window.end], start=window.start)
            ]
            inputs["labels"] = [IGNORED] * len(encoder.prefix) + own + [IGNORED] * len(encoder.suffix)
            rows.append(inputs)
            origins.append(number)
    return Features(rows, origins)


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

"""Labelled text: sentences with tokens, character offsets and flat spans."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property


@dataclass(frozen=True, slots=True)
class Span:
    """An entity over the tokens `start` to `end` (exclusive) of its sentence."""

    label: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Sentence:
    """A text, its tokens as character ranges of it, and flat spans in order that do not overlap.

    `offsets[i]` is the (start, end) of token i in `text`; `line` is the first line in its file, counted from 1;
    `document` counts the documents of files that mark them, from 1; 0 is none.
    """

    text: str
    offsets: tuple[tuple[int, int], ...]
    spans: tuple[Span, ...]
    line: int = 0
    document: int = 0

    @property
    def tokens(self) -> list[str]:
        """The texts of the tokens."""
        return [self.text[start:end] for start, end in self.offsets]

    def tags(self) -> list[str]:
        """One IOB2 tag per token."""
        tags = ["O"] * len(self.offsets)
        for span in self.spans:
            tags[span.start : span.end] = [f"B-{span.label}"] + [f"I-{span.label}"] * (span.end - span.start - 1)
        return tags


@dataclass(frozen=True)
class Dataset:
    """One split: its source, its sentences, and the numbers of what was left out and changed, by reason.

    `labelled` is False for text that has no labels at all.
    """

    source: str
    split: str
    sentences: tuple[Sentence, ...]
    format: str
    scheme: str = ""
    repairs: Counter[str] = field(default_factory=Counter)
    labelled: bool = True

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """The entity labels of the sentences, sorted."""
        return tuple(sorted({span.label for sentence in self.sentences for span in sentence.spans}))

    @property
    def token_count(self) -> int:
        """The number of tokens."""
        return sum(len(sentence.offsets) for sentence in self.sentences)

    @property
    def entity_counts(self) -> Counter[str]:
        """The number of entities by label."""
        return Counter(span.label for sentence in self.sentences for span in sentence.spans)

    @cached_property
    def sha256(self) -> str:
        """Hash of the content: texts, tokens and spans, independent of file format and tag scheme."""
        digest = hashlib.sha256()
        for sentence in self.sentences:
            spans = [(span.label, span.start, span.end) for span in sentence.spans]
            content = json.dumps([sentence.text, sentence.offsets, spans], ensure_ascii=False)
            digest.update(content.encode(errors="surrogatepass"))
        return digest.hexdigest()


def iob2_labels(entity_labels: tuple[str, ...]) -> tuple[str, ...]:
    """The tags of a model: O, then B- and I- of each label."""
    return ("O", *(f"{prefix}-{label}" for label in entity_labels for prefix in "BI"))

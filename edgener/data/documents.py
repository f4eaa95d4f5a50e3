"""Windows of documents: consecutive sentences of one document as one text, as a device gets a paragraph."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain

from .text.joining import is_mostly_unspaced, touch
from .types import Sentence, Span

WINDOW = 256
"""The longest window in subwords, with the two special tokens of a model's input."""

Windows = list[tuple[Sentence, ...]]


def has_documents(sentences: Sequence[Sentence]) -> bool:
    """Whether the sentences say which document they are of."""
    return any(sentence.document for sentence in sentences)


def numbered_on(parts: Iterable[Sequence[Sentence]]) -> Iterator[Sentence]:
    """The sentences of all parts; the documents of a part are counted on from those before."""
    count = 0
    for part in parts:
        before = count
        for sentence in part:
            if sentence.document:
                sentence = replace(sentence, document=before + sentence.document)
            count = max(count, sentence.document)
            yield sentence


def document_windows(sentences: Sequence[Sentence], subwords: Sequence[int], most: int = WINDOW - 2) -> Windows:
    """Runs of consecutive sentences of one document of at most `most` subwords; a longer sentence is one alone.

    `subwords` are the numbers of each sentence. A sentence of no document is one alone.
    """
    windows: list[list[Sentence]] = []
    room = 0
    for sentence, size in zip(sentences, subwords, strict=True):
        if windows and sentence.document and sentence.document == windows[-1][-1].document and size <= room:
            windows[-1].append(sentence)
        else:
            windows.append([sentence])
            room = most
        room -= size
    return [tuple(window) for window in windows]


def with_windows(windows: Windows, share: float, seed: int) -> list[Sentence]:
    """The sentences in order, a share of them in windows drawn by `seed`; each sentence stands in one text."""
    order = random.Random(seed).sample(range(len(windows)), len(windows))  # noqa: S311 - repeatable
    remaining = share * sum(map(len, windows))
    chosen = set()
    for number in order:
        if remaining <= 0:
            break
        chosen.add(number)
        remaining -= len(windows[number])
    return [
        text
        for number, window in enumerate(windows)
        for text in ([join_sentences(window)] if number in chosen else window)
    ]


def join_sentences(sentences: Sequence[Sentence]) -> Sentence:
    """One text of sentences, with a space between two where their script has spaces between words."""
    unspaced = is_mostly_unspaced([*chain.from_iterable(sentence.tokens for sentence in sentences)])
    text, offsets, spans = "", list[tuple[int, int]](), list[Span]()
    for sentence in sentences:
        if offsets and not touch(text[slice(*offsets[-1])], sentence.tokens[0], unspaced):
            text += " "
        spans += [Span(span.label, span.start + len(offsets), span.end + len(offsets)) for span in sentence.spans]
        offsets += [(start + len(text), end + len(text)) for start, end in sentence.offsets]
        text += sentence.text
    return Sentence(text, tuple(offsets), tuple(spans), sentences[0].line, sentences[0].document)

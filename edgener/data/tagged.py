"""Sentences from a tag per token: by scheme, by number, or by plain names of labels."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from . import reasons
from .sentences import sentence_of_tokens
from .tags import TAG, guess_scheme, spans_of
from .text.joining import is_mostly_unspaced
from .types import Sentence

PLAIN = re.compile(r"[^\W\d_][\w/.:&-]*(?: [\w/.:&-]+)*")
_PREFIXED = re.compile(r"[BIEMSLU](?:[-_:/.| ].+)?|.+[-_][BIEMSLU]")
EXPECTED = "tags such as B-LABEL or O"


@dataclass(frozen=True)
class TaggedTokens:
    """A sentence as a tag per token, and its first line."""

    line: int
    tokens: Sequence[str]
    tags: Sequence[str]


def is_plain(tags: Iterable[str]) -> bool:
    """Whether tags are names of labels without a prefix: `PER`, `O`; not `B_PER`, and not `B` and `I` alone."""
    names = set(tags) - {"O"}
    return bool(names) and not any(map(_PREFIXED.fullmatch, names))


def with_prefix(tag: str) -> str:
    """A plain label as a tag of the scheme IO."""
    return tag if tag == "O" else f"I-{tag}"


def checked_tags(tagged: Sequence[TaggedTokens], report: Callable[[int, str, str], None]) -> list[TaggedTokens]:
    """The sentences whose tags can be read, plain names as tags of the scheme IO; `report` gets the others."""
    plain = is_plain(tag for sentence in tagged for tag in sentence.tags)
    pattern = PLAIN if plain else TAG
    found = []
    for sentence in tagged:
        wrong = next((tag for tag in sentence.tags if tag != "O" and not pattern.fullmatch(tag)), None)
        if wrong is not None:
            report(sentence.line, wrong, EXPECTED)
        elif plain:
            found.append(replace(sentence, tags=[with_prefix(tag) for tag in sentence.tags]))
        else:
            found.append(sentence)
    return found


def sentences_of_tags(tagged: Sequence[TaggedTokens], scheme: str, counts: Counter[str]) -> tuple[list[Sentence], str]:
    """The sentences of tagged tokens, and their scheme, which `auto` guesses from all of them."""
    scheme = guess_scheme([sentence.tags for sentence in tagged]) if scheme == "auto" else scheme
    unspaced = is_mostly_unspaced([*chain.from_iterable(sentence.tokens for sentence in tagged)])
    sentences = []
    for sentence in tagged:
        spans, fixed = spans_of(sentence.tags, scheme)
        if fixed:
            counts[reasons.NO_BEGINNING] += fixed
        sentences.append(sentence_of_tokens(sentence.tokens, spans, sentence.line, counts, unspaced))
    return sentences, scheme

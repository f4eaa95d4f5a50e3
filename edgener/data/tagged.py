"""Sentences from a tag per token: by scheme, by number, or by plain names of labels."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

from edgener_runtime.errors import UserInputError

from . import reasons
from .sentences import sentence_of_tokens
from .tags import TAG, guess_scheme, spans_of
from .text.joining import is_mostly_unspaced
from .types import Sentence

PLAIN = re.compile(r"[^\W\d_][\w/.:&-]*(?: [\w/.:&-]+)*")
_PREFIXED = re.compile(r"[BIEMSLU](?:[-_:/.| ].+)?|.+[-_][BIEMSLU]")
_NUMBER = re.compile(r"-?[0-9]{1,9}")
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


def is_number(tag: Any) -> bool:
    """Whether a tag is a number, also one that became text on its way through a table."""
    return type(tag) is int or (isinstance(tag, str) and bool(_NUMBER.fullmatch(tag)))


def name_of(tag: Any, names: Sequence[str] | None) -> str | None:
    """A tag by its name, that of a number from `names`; None for what has no name."""
    if isinstance(tag, str) and not is_number(tag):
        return tag
    return names[int(tag)] if names and is_number(tag) and 0 <= int(tag) < len(names) else None


def without_names(where: str, number: Any) -> UserInputError:
    """The error for tags that are numbers, where nothing says their names."""
    return UserInputError(
        f"{where}: its tags are numbers such as {number}, and the file has no names for them",
        "Name the labels in the order of their numbers: --label-names O,B-PER,I-PER, or a file with one per line.",
    )


def names_in_vain(path: Path) -> UserInputError:
    """The error for --label-names where no tag is a number."""
    return UserInputError(f"{path} has no tags that are numbers for --label-names", "Leave out --label-names.")


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

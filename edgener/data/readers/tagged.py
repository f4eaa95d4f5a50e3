"""Sentences from a tag per token: by scheme, by number, or by plain names of labels."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

from edgener.data import reasons
from edgener.data.sentences import sentence_of_tokens
from edgener.data.tags import AUTO, TAG, guess_scheme, spans_of, split_tag
from edgener.data.text.joining import is_mostly_unspaced
from edgener.data.types import Sentence
from edgener_runtime.decoding.schemes import SCHEMES, allowed_entities
from edgener_runtime.errors import UserInputError

from .lines import BadLines

PLAIN = re.compile(r"[^\W\d_][\w/.:&-]*(?: [\w/.:&-]+)*")
_PREFIXED = re.compile(r"[BIEMSLU](?:[-_:/.| ].+)?|.+[-_][BIEMSLU]")
_NUMBER = re.compile(r"-?[0-9]{1,9}")
EXPECTED = "tags such as B-LABEL or O"


@dataclass(frozen=True)
class TaggedTokens:
    """A sentence as a tag per token, its first line, and its document counted from 1 (0: none is marked)."""

    line: int
    tokens: Sequence[str]
    tags: Sequence[str]
    document: int = 0


def is_plain(tags: Iterable[str]) -> bool:
    """Whether tags are names of labels without a prefix: `PER`, `O`; not `B_PER`, and not `B` and `I` alone."""
    names = set(tags) - {"O"}
    return bool(names) and not any(map(_PREFIXED.fullmatch, names))


def is_number(tag: Any) -> bool:
    """Whether a tag is a number, also one that became text on its way through a table."""
    return type(tag) is int or (isinstance(tag, str) and bool(_NUMBER.fullmatch(tag)))


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


def read_tagged(
    tagged: Sequence[TaggedTokens], options: Mapping[str, Any], bad: BadLines
) -> tuple[list[Sentence], str]:
    """The sentences of tags that are names, or numbers with `label_names`, and their scheme.

    Raises UserInputError for numbers without names, names without numbers, and a scheme that does not fit.
    """
    named = [*_named(tagged, options.get("label_names"), bad)]
    return sentences_of_tags(checked_tags(named, bad.report), options.get("scheme", AUTO), bad)


def _named(tagged: Sequence[TaggedTokens], names: Sequence[str] | None, bad: BadLines) -> Iterator[TaggedTokens]:
    numbered = [sentence for sentence in tagged if any(map(is_number, sentence.tags))]
    if names and not numbered:
        raise UserInputError(f"{bad.path} has no tags that are numbers for --label-names", "Leave out --label-names.")
    for sentence in tagged:
        numbers = [tag for tag in sentence.tags if is_number(tag)]
        if numbers and not names and len(numbers) == len(sentence.tags):
            raise _without_names(f"{bad.path}{bad.unit}{sentence.line}", numbers[0])
        unknown = [tag for tag in numbers if not names or not 0 <= int(tag) < len(names)]
        if unknown:
            fitting = f"tags from 0 to {len(names) - 1}, as there are {len(names)} names" if names else "tags by name"
            bad.report(sentence.line, unknown[0], fitting)
        else:
            tags = [names[int(tag)] if names and is_number(tag) else tag for tag in sentence.tags]
            yield replace(sentence, tags=tags)


def _without_names(where: str, number: str) -> UserInputError:
    return UserInputError(
        f"{where}: its tags are numbers such as {number}, and the file has no names for them",
        "Name the labels in the order of their numbers: --label-names O,B-PER,I-PER, or a file with one per line.",
    )


def sentences_of_tags(tagged: Sequence[TaggedTokens], scheme: str, bad: BadLines) -> tuple[list[Sentence], str]:
    """The sentences of tagged tokens, and their scheme, which `auto` guesses from all of them.

    Raises UserInputError where the tags of the file are not those of a scheme that was named.
    """
    guessed = guess_scheme([sentence.tags for sentence in tagged])
    if scheme in (AUTO, guessed):
        scheme = guessed
    else:
        _check_scheme(tagged, scheme, guessed, bad.path)
    unspaced = is_mostly_unspaced([*chain.from_iterable(sentence.tokens for sentence in tagged)])
    sentences = []
    for sentence in tagged:
        spans, fixed = spans_of(sentence.tags, scheme)
        if fixed:
            bad.counts[reasons.NO_BEGINNING] += fixed
        found = sentence_of_tokens(sentence.tokens, spans, sentence.line, bad.counts, unspaced)
        sentences.append(replace(found, document=sentence.document))
    return sentences, scheme


def _check_scheme(tagged: Sequence[TaggedTokens], scheme: str, guessed: str, path: Path) -> None:
    """Raise UserInputError where a scheme does not have the tags, or forbids more than half of the entities."""
    hint = f"Leave out --scheme; the tags look like {guessed}."
    strange = dict.fromkeys(
        tag for sentence in tagged for tag in sentence.tags if tag != "O" and tag[0] not in SCHEMES[scheme].letters
    )
    if strange:
        named = ", ".join([*strange][:5]) + (" ..." if len(strange) > 5 else "")
        raise UserInputError(f"{path}: the scheme {scheme} of --scheme has no tags such as its {named}", hint)
    found = sum(len(spans_of(sentence.tags, scheme)[0]) for sentence in tagged)
    allowed = sum(len([*allowed_entities(_roles(sentence.tags), scheme)]) for sentence in tagged)
    if found - allowed > found / 2:
        raise UserInputError(
            f"{path}: {found - allowed:,} of {found:,} entities are not written as the scheme {scheme} of --scheme "
            "demands",
            hint,
        )


def _roles(tags: Sequence[str]) -> list[str]:
    """Tags with the role of their prefix in its place, as rules of schemes name them."""
    return [tag if tag == "O" else "-".join(split_tag(tag)) for tag in tags]

"""Tags of tokens to spans and back, in the schemes of edgener_runtime.decoding.schemes, by the rules of conlleval."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise

from edgener_runtime.decoding.schemes import OUTSIDE, continues
from edgener_runtime.decoding.schemes import SCHEMES as _RULES

from .types import Span

PLAIN = "PLAIN"
SCHEMES = tuple(_RULES)
TAG = re.compile(r"O|[BIEMSLU]-\S.*", re.DOTALL)
PLAIN_TAG = re.compile(r"(?![A-Za-z]([-_:.]|$))\S.*")  # O, or a type alone; B, b-PER and B_PER are broken tags

_ROLE = {letter: role for rules in _RULES.values() for letter, role in zip(rules.letters, rules.roles, strict=True)}
_SPREAD = {"B": "BI", "I": "II", "E": "IE", "S": "BE"}


def role_tag(tag: str, scheme: str = "IOB2") -> str:
    """Role and type of a tag of a file, such as `S-PER` for `U-PER`; in PLAIN and IO a tag may be the type alone."""
    if tag == OUTSIDE:
        return tag
    if scheme == PLAIN or not TAG.fullmatch(tag):
        return f"I-{tag}"
    return _ROLE[tag[0]] + tag[1:]


def inside(tag: str) -> str:
    """The IOB2 tag that continues the entity of a tag: I- for B-, all others unchanged."""
    return "I" + tag[1:] if tag.startswith("B-") else tag


def spread(tag: str) -> list[str]:
    """The tags of two tokens that share a subword with this tag."""
    return [tag, tag] if tag == OUTSIDE else [role + tag[1:] for role in _SPREAD[tag[0]]]


def is_plain(tags: Iterable[str]) -> bool:
    """Whether tags are types alone, with no prefix at all, and O."""
    found = set(tags) - {OUTSIDE}
    return bool(found) and all(PLAIN_TAG.fullmatch(tag) for tag in found)


def guess_scheme(sequences: Iterable[Sequence[str]]) -> str:
    """The tag scheme of a file, from its prefixes and the positions of B-."""
    sequences = list(sequences)
    if is_plain(tag for tags in sequences for tag in tags):
        return PLAIN
    prefixes: set[str] = set()
    b_only_between_neighbours = True
    for tags in sequences:
        prefixes.update(tag[0] for tag in tags)
        for before, tag in pairwise((OUTSIDE, *tags)):
            if tag[0] == "B" and before[2:] != tag[2:]:
                b_only_between_neighbours = False
    for prefix, scheme in (("M", "BMES"), ("E", "BIOES"), ("L", "BILOU"), ("U", "BILOU"), ("S", "BIOES")):
        if prefix in prefixes:
            return scheme
    if "B" not in prefixes:
        return "IO" if "I" in prefixes else "IOB2"
    return "IOB1" if b_only_between_neighbours and "I" in prefixes else "IOB2"


def spans_of(tags: Sequence[str], scheme: str = "IOB2") -> tuple[tuple[Span, ...], int]:
    """The entities of a tag sequence, and the number of fixed ones, which began without their B- or S-."""
    spans: list[Span] = []
    fixed, start, before = 0, -1, OUTSIDE
    for index, tag in enumerate([*(role_tag(tag, scheme) for tag in tags), OUTSIDE]):
        if not continues(before, tag):
            if start >= 0:
                spans.append(Span(before[2:], start, index))
            start = -1 if tag == OUTSIDE else index
            fixed += tag[0] in "IE" and tag[0] not in _RULES[scheme].opens
        before = tag
    return tuple(spans), fixed


def tags_of(spans: Iterable[Span], length: int, scheme: str = "IOB2") -> list[str]:
    """The tags (role and type) of flat spans over `length` tokens in a scheme."""
    rules = _RULES[scheme]
    first, inner, last, only = rules.pattern
    tags = [OUTSIDE] * length
    for span in sorted(spans, key=lambda span: span.start):
        size = span.end - span.start
        roles = only if size == 1 else first + inner * (size - 2) + last
        before = tags[span.start - 1] if span.start else OUTSIDE
        if rules.divider and continues(before, f"{roles[0]}-{span.label}"):
            roles = rules.divider + roles[1:]
        tags[span.start : span.end] = [f"{role}-{span.label}" for role in roles]
    return tags

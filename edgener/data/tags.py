"""Tag schemes IO, IOB1, IOB2, BIOES, BMES and BILOU to spans, by the rules of conlleval."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise

from edgener_runtime.decoding.schemes import DEFAULT, OUTSIDE, continues
from edgener_runtime.decoding.schemes import SCHEMES as RULES

from .types import Span

AUTO = "auto"
SCHEMES = ("IO", "IOB1", "IOB2", "BIOES", "BMES", "BILOU")
TAG = re.compile(r"O|[BIEMSLU]-\S.*")

# The role of a prefix: B begins, I continues, E ends, S is a whole entity.
_ROLE = {"B": "B", "I": "I", "M": "I", "E": "E", "L": "E", "S": "S", "U": "S", "O": "O"}
_OPENING = {"IO": "I", "IOB1": "I"}  # schemes in which an entity may begin without B-
_SPREAD = {"B": "BI", "I": "II", "E": "IE", "S": "BE"}


def split_tag(tag: str) -> tuple[str, str]:
    """Role (B, I, E, S or O) and label of a tag."""
    return _ROLE[tag[0]], tag[2:]


def inside(tag: str) -> str:
    """The IOB2 tag that continues the entity of a tag: I- for B-, all others unchanged."""
    return "I" + tag[1:] if tag.startswith("B-") else tag


def spread(tag: str) -> list[str]:
    """The tags (role and type) of two tokens that share a subword with this one."""
    return [tag, tag] if tag == OUTSIDE else [role + tag[1:] for role in _SPREAD[tag[0]]]


def tags_of(spans: Iterable[Span], length: int, scheme: str = DEFAULT) -> list[str]:
    """The tags (role and type) in a scheme of flat spans, in order, over `length` tokens."""
    rules, tags = RULES[scheme], [OUTSIDE] * length
    first, inner, last, only = tuple(rules.pattern)
    for span in spans:
        size = span.end - span.start
        roles = only if size == 1 else first + inner * (size - 2) + last
        before = tags[span.start - 1] if span.start else OUTSIDE
        if rules.divider and continues(before, f"{first}-{span.label}"):
            roles = rules.divider + roles[1:]
        tags[span.start : span.end] = [f"{role}-{span.label}" for role in roles]
    return tags


def guess_scheme(sequences: Iterable[Sequence[str]]) -> str:
    """The tag scheme of a file, from its prefixes and the positions of B-."""
    prefixes: set[str] = set()
    b_only_between_neighbours = True
    for tags in sequences:
        prefixes.update(tag[0] for tag in tags)
        for before, tag in pairwise(("O", *tags)):
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
    fixed, start = 0, -1
    before = ("O", "")
    for index, tag in enumerate((*tags, "O")):
        role, label = split_tag(tag)
        continues = role in "IE" and before[0] in "BI" and before[1] == label
        if not continues:
            if start >= 0:
                spans.append(Span(before[1], start, index))
            start = -1 if role == "O" else index
            fixed += role in "IE" and role != _OPENING.get(scheme)
        before = (role, label)
    return tuple(spans), fixed

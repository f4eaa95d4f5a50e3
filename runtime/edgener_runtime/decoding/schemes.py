"""Label schemes: how the labels of a model mark entities, and which label may follow which."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

OUTSIDE = "O"
DEFAULT = "IOB2"
_PREFIXED = re.compile(r"([A-Za-z])[-_:.]\S.*", re.DOTALL)


@dataclass(frozen=True)
class Scheme:
    """A label scheme: the letters of its prefixes, and the role of each in an entity.

    The roles are B (begins an entity), I (continues it), E (ends it) and S (is a whole one). `pattern` has those of
    the first, an inner, the last and the only label of an entity. Between two entities of one type that touch,
    `divider` replaces the first of the second.
    """

    name: str
    letters: str
    roles: str
    pattern: str
    divider: str = ""

    @property
    def opens(self) -> str:
        """The roles with which an entity may begin anywhere."""
        return self.pattern[0] + self.pattern[3]

    @property
    def ends(self) -> str:
        """The roles with which an entity may end."""
        return self.pattern[2:] + self.divider

    def tag(self, label: str) -> str:
        """Role and type of an entity's label, such as `B-PER`; a label without a prefix of the scheme is a type."""
        prefix = prefix_of(label)
        if not prefix or prefix not in self.letters:
            return f"I-{label}"
        return f"{self.roles[self.letters.index(prefix)]}-{label[2:]}"

    def begins(self, before: str, tag: str) -> bool:
        """Whether `tag`, which does not continue the entity of the tag before it, may begin one there."""
        divides = tag[0] in self.divider and before[0] in "BI" and before[2:] == tag[2:]
        return divides or tag[0] in self.opens


SCHEMES = {
    scheme.name: scheme
    for scheme in (
        Scheme("IOB2", "BI", "BI", "BIIB"),
        Scheme("IOB1", "BI", "BI", "IIII", divider="B"),
        Scheme("IO", "I", "I", "IIII"),
        Scheme("PLAIN", "", "", "IIII"),
        Scheme("BIOES", "BIES", "BIES", "BIES"),
        Scheme("BMES", "BMES", "BIES", "BIES"),
        Scheme("BILOU", "BILU", "BIES", "BIES"),
        Scheme("BIOS", "BIS", "BIS", "BIIS"),
        Scheme("BIOE", "BIE", "BIE", "BIEB"),
    )
}


@dataclass(frozen=True)
class LabelSet:
    """The labels of a model by number, their scheme, and the label `outside` of all entities.

    `ignored` are labels of special tokens or subwords, such as [CLS] and X, which are outside too.
    """

    names: tuple[str, ...]
    scheme: str = DEFAULT
    outside: str = OUTSIDE
    ignored: tuple[str, ...] = ()

    @cached_property
    def tags(self) -> tuple[str, ...]:
        """For each label its role and type, such as `B-PER`; O where it is outside."""
        outside = {self.outside, *self.ignored}
        return tuple(OUTSIDE if name in outside else SCHEMES[self.scheme].tag(name) for name in self.names)

    @property
    def types(self) -> tuple[str, ...]:
        """The types of entities, sorted."""
        return tuple(sorted({tag[2:] for tag in self.tags if tag != OUTSIDE}))


def prefix_of(label: str) -> str:
    """The letter before the type in a label such as `B-PER`, `b-per` or `B_PER`, in upper case; empty without one."""
    found = _PREFIXED.fullmatch(label)
    return found[1].upper() if found else ""


def continues(before: str, tag: str) -> bool:
    """Whether `tag` continues the entity of the tag before it."""
    return tag[0] in "IE" and before[0] in "BI" and before[2:] == tag[2:]


def allowed_entities(tags: Sequence[str], scheme: str = DEFAULT) -> Iterator[tuple[str, int, int]]:
    """Type, first position and end (exclusive) of the entities whose tags are as their scheme demands.

    For IOB2, BIOES and BILOU these are the entities of seqeval's strict mode.
    """
    rules, start, before = SCHEMES[scheme], -1, OUTSIDE
    for index, tag in enumerate((*tags, OUTSIDE)):
        if not continues(before, tag):
            if start >= 0 and before[0] in rules.ends:
                yield before[2:], start, index
            start = index if rules.begins(before, tag) else -1
        before = tag

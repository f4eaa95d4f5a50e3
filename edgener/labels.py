"""The labels of a checkpoint: their names, the scheme that they follow, and the label outside of all entities."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from edgener_runtime.decoding.schemes import OUTSIDE, SCHEMES, LabelSet, prefix_of
from edgener_runtime.errors import UserInputError

AUTO = "auto"
UNDECIDED = ("IOB2", "IOB1")  # both have B- and I- labels
_STRAY = 9  # of ten entities in IOB1 at least nine begin with I-; a weak model of IOB2 has a few such

# Labels of special tokens and of later subwords. A word in place of brackets is one only where entities have prefixes.
_SPECIAL = re.compile(r"\[.+\]|<.+>|X|PAD|CLS|SEP")
_SPECIAL_WORD = re.compile(r"pad|cls|sep|unk|mask|bos|eos|start|stop|end|x", re.IGNORECASE)
_NO_NAME = re.compile(r"(label|class|tag)?[ _-]?\d+", re.IGNORECASE)
_PART = r"(begin|beg|start|inside|inner|in|middle|mid|end|last|single|unit|[BIMESLU])\d*"
_OTHER_STYLE = re.compile(rf"{_PART}[\W_]+\S.*|.+[\W_]{_PART}|[BIMESLU][\W_]?", re.IGNORECASE)
_LIKE_OUTSIDE = {"o", "other", "others", "outside", "out", "none", "null", "nan", "0", "_", "-", "no", "non-entity"}
_RENAME = "Or rename the labels: --model-labels {}; a name in brackets, such as [MISC], is ignored."


@dataclass(frozen=True)
class LabelChoice:
    """What the user says of a model's labels: names by number, scheme, outside label; each may be left to the model."""

    names: tuple[str, ...] = ()
    scheme: str = AUTO
    outside: str | None = None


def names_of(config: dict[str, Any], file: Path, choice: LabelChoice) -> tuple[str, ...]:
    """The names of a model's labels by number, from its configuration or as given.

    Raises UserInputError with what is wrong in `id2label` and where.
    """
    known = config.get("id2label", {str(number): f"LABEL_{number}" for number in range(config.get("num_labels", 2))})
    if not isinstance(known, dict) or not known:
        raise UserInputError(
            f"{file}: id2label is {str(known)[:60]}, expected an object of numbers and names",
            'Write it so: "id2label": {"0": "O", "1": "B-PER", "2": "I-PER"}',
        )
    by_number = _by_number(known, file)
    if not choice.names:
        return _own_names(by_number, config, file)
    if len(choice.names) != len(by_number):
        raise UserInputError(
            f"{len(choice.names)} names of labels are given; {file} has {len(by_number)} labels",
            "Give one name per label, in the order of their numbers.",
        )
    return _distinct(choice.names, "--model-labels")


def label_set_of(names: Sequence[str], file: Path, choice: LabelChoice) -> tuple[LabelSet, bool]:
    """The label set of a model, and whether its predictions must decide between the schemes UNDECIDED.

    Raises UserInputError with the way out where labels cannot be read as a scheme.
    """
    outside = _outside(names, file, choice)
    others = [name for name in names if name != outside]
    has_prefixes = choice.scheme != "PLAIN" and bool(_with_letters({prefix_of(name) for name in others} - {""}))
    special = {name for name in others if _SPECIAL.fullmatch(name) or (has_prefixes and _SPECIAL_WORD.fullmatch(name))}
    entities = [name for name in others if name not in special]
    if not entities:
        raise UserInputError(f"{file} has no label of an entity: {', '.join(names)}", "Fine-tune it: edgener train")
    schemes = _schemes(entities, file) if choice.scheme == AUTO else [_given(choice.scheme, entities)]
    label_set = LabelSet(tuple(names), schemes[0], outside, tuple(name for name in names if name in special))
    tags = [tag for tag in label_set.tags if tag != OUTSIDE]
    if twice := [tag for tag in tags if tags.count(tag) > 1]:
        same = [name for name, tag in zip(names, label_set.tags, strict=True) if tag == twice[0]]
        raise UserInputError(f"{file}: the labels {', '.join(same)} mean the same", _RENAME.format("O,B-PER,I-PER"))
    return label_set, len(schemes) > 1


def decided(label_set: LabelSet, predicted: Iterable[Sequence[str]]) -> LabelSet:
    """The label set in IOB1 where nearly all entities that a model predicts begin with I-, else in IOB2."""
    stray = loose = 0
    for tags in predicted:
        for before, tag in pairwise((OUTSIDE, *tags)):
            if before[2:] != tag[2:]:
                stray += tag[0] == "I"
                loose += tag[0] == "B"
    return replace(label_set, scheme="IOB1" if stray > _STRAY * loose else "IOB2")


def name_of(label_set: LabelSet, tag: str) -> str:
    """The name of the first label with a tag (role and type), or the tag where no label has it."""
    return next((name for name, own in zip(label_set.names, label_set.tags, strict=True) if own == tag), tag)


def describe(label_set: LabelSet) -> str:
    """The scheme of a label set in words, with its outside label and ignored labels where they are not the usual."""
    parts = [f"label scheme {label_set.scheme}"]
    if label_set.outside != OUTSIDE:
        parts.append(f"outside label {label_set.outside}")
    if label_set.ignored:
        parts.append(f"ignored labels {', '.join(label_set.ignored)}")
    return "; ".join(parts)


def _by_number(known: dict[Any, Any], file: Path) -> dict[int, Any]:
    """The names of id2label in order. Raises UserInputError for a hole, and for what is not a number."""
    if wrong := [key for key in known if not str(key).isdecimal()]:
        raise UserInputError(f"{file}: id2label has the number {wrong[0]!r}", "Number the labels 0, 1, 2 ...")
    found = {int(key): known[key] for key in sorted(known, key=int)}
    first, last = min(found), max(found)
    if holes := sorted(set(range(first, last)) - set(found)):
        raise UserInputError(
            f"{file}: id2label has {len(found)} labels from {first} to {last}, but none for "
            f"{', '.join(map(str, holes[:5]))}",
            f'Add it to id2label: "{holes[0]}": "NAME"',
        )
    return found


def _own_names(by_number: dict[int, Any], config: dict[str, Any], file: Path) -> tuple[str, ...]:
    """The names that a configuration has. Raises UserInputError for numbers from 1 on, and for what is not a name."""
    first, last, count = min(by_number), max(by_number), len(by_number)
    if first:
        raise UserInputError(
            f"{file}: id2label counts from {first} to {last}, expected 0 to {count - 1}",
            f"Correct the numbers, or give the names in order: --model-labels {_listed(by_number.values())}",
        )
    for number, name in by_number.items():
        if not isinstance(name, str) or not name or name != name.strip():
            raise UserInputError(
                f"{file}: id2label names label {number} {name!r}, expected a text without blanks around it",
                "Correct it.",
            )
    names = _distinct(list(by_number.values()), f"{file}: id2label")
    nameless = [name for name in names if _NO_NAME.fullmatch(name)]
    if any(name.startswith("LABEL_") for name in nameless) or len(nameless) == len(names):
        example = _names_elsewhere(config, count) or ["O", "B-PER", "I-PER", "..."]
        raise UserInputError(
            f"{file} numbers its labels and does not name them: {', '.join(names[:3])} ...",
            f"Give {count} names in order, or a file with one per line: --model-labels {_listed(example)}",
        )
    return names


def _distinct(names: Sequence[str], where: str) -> tuple[str, ...]:
    if twice := [name for name in names if list(names).count(name) > 1]:
        numbers = [number for number, name in enumerate(names) if name == twice[0]]
        raise UserInputError(
            f"{where} has {twice[0]!r} for {' and '.join(map(str, numbers))}", "Give every label its own name."
        )
    return tuple(names)


def _names_elsewhere(config: dict[str, Any], count: int) -> list[str]:
    """The names that label2id has where id2label has none."""
    known = config.get("label2id")
    if not isinstance(known, dict) or sorted(map(str, known.values())) != sorted(map(str, range(count))):
        return []
    names = sorted(known, key=lambda name: int(known[name]))
    return [] if any(map(_NO_NAME.fullmatch, names)) else names


def _listed(names: Iterable[Any]) -> str:
    return ",".join(str(name) for name in names)


def _outside(names: Sequence[str], file: Path, choice: LabelChoice) -> str:
    outside = OUTSIDE if choice.outside is None else choice.outside
    if outside in names:
        return outside
    likely = [name for name in names if name.lower() in _LIKE_OUTSIDE]
    alone = [name for name in names if not prefix_of(name) and not _SPECIAL.fullmatch(name)]
    raise UserInputError(
        f"{file} has no label {outside!r} for what is outside of entities; its labels are {', '.join(names)[:200]}",
        f"Name it: --outside-label {[*likely, *(alone if len(alone) == 1 else []), 'NAME'][0]}",
    )


def _schemes(entities: Sequence[str], file: Path) -> list[str]:
    """The schemes that the labels of entities may follow: one, or IOB2 and IOB1."""
    letters = {prefix_of(name) for name in entities}
    if letters == {""} and all(_OTHER_STYLE.fullmatch(unicodedata.normalize("NFKC", name)) for name in entities):
        raise _unread(f"{file} marks the parts of entities in a way that is not read", entities)
    found = _with_letters(letters - {""})
    if "" in letters:
        if not found:  # E-MAIL and PER are types
            return ["PLAIN"]
        plain = [name for name in entities if not prefix_of(name)]
        raise _unread(f"{file} has labels with prefixes, and others without", plain)
    if not found:
        raise _unread(f"{file} has labels with the prefixes {', '.join(sorted(letters))}", entities)
    if found != list(UNDECIDED):
        return found[:1]
    first, inner = ({name[2:] for name in entities if prefix_of(name) == letter} for letter in "BI")
    if bool(first - inner) != bool(inner - first):  # IOB1 has an I- label of every type, IOB2 a B- label
        return ["IOB2" if first - inner else "IOB1"]
    return list(UNDECIDED)


def _with_letters(letters: set[str]) -> list[str]:
    """The schemes with the fewest letters that have these and could mark an entity with them."""
    if not letters or not letters & {"B", "I"}:
        return []
    fitting = [each for each in SCHEMES.values() if letters <= set(each.letters) and _can_mark(each.name, letters)]
    fewest = min((len(each.letters) for each in fitting), default=0)
    found = [each.name for each in fitting if len(each.letters) == fewest]
    return found if letters == {"B", "I"} else found[:1]


def _can_mark(scheme: str, letters: set[str]) -> bool:
    """Whether labels with these prefixes begin and end an entity of a scheme; B and I alone never end one of BIOES."""
    rules = SCHEMES[scheme]
    roles = {role for letter, role in zip(rules.letters, rules.roles, strict=True) if letter in letters}
    return not roles.isdisjoint(rules.opens) and not roles.isdisjoint(rules.ends)


def _given(scheme: str, entities: Sequence[str]) -> str:
    """The scheme that was asked for. Raises UserInputError where the labels cannot follow it."""
    prefixes = {prefix_of(name) for name in entities}
    if scheme == "IO" and prefixes == {""}:
        scheme = "PLAIN"
    strange = [name for name in entities if prefix_of(name) not in [*SCHEMES[scheme].letters]]
    if scheme != "PLAIN" and (strange or not _can_mark(scheme, prefixes)):
        raise UserInputError(
            f"--model-scheme is {scheme}; the labels are {', '.join(strange or entities)[:200]}",
            "Leave it out to derive the scheme from the labels.",
        )
    return scheme


def _unread(what: str, names: Sequence[str]) -> UserInputError:
    return UserInputError(
        f"{what}: {', '.join(names)[:200]}",
        f"To read each label as a type of entity: --model-scheme PLAIN. {_RENAME.format('O,B-PER,I-PER')}",
    )

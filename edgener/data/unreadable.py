"""Kinds of files that hold text and are not read: each is recognised, so that an error can name it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from .text.joining import is_unspaced


@dataclass(frozen=True)
class UnreadableKind:
    """A kind of file, how it is recognised from its text, and what to do with it."""

    name: str
    matches: Callable[[str], bool]
    hint: str


_EXPORT = "Export it as one of the formats that edgener data formats lists."
_ELEMENT = re.compile(r"<([A-Za-z][\w.:-]*)(?:\s[^<>]*)?>[^<>]+</\1\s*>")
_LINK = re.compile(r"\[[^\[\]]+\](?:\(\w[^()\s]*\)|\{[^{}]*\"entity\")|\[[A-Z][A-Z_]+ [^\[\]]+\]")
_HEADING = re.compile(r"#{1,6} \S.*\n\s*\n|```")
_SLASHED = re.compile(r"\S+[/|_](?:O|[BIESLUM]-\S+)")
_TAG_LIKE = re.compile(r"(?i:[bieslum][-_:./]\w\S*|\w\S*[-_:./][bieslum]|[bieslumo]|-|_)")
_SENTENCE_END = re.compile(r"[.!?][\"')\]]*\s+(?=[\"'(\[]*[A-ZÀ-Þ])|[。！？]")


def _starts(*beginnings: str) -> Callable[[str], bool]:
    return lambda text: text.lstrip().lower().startswith(beginnings)


def _lines(text: str) -> list[str]:
    return [line for line in text.split("\n") if line.strip()]


def _many(pattern: re.Pattern[str], share: float) -> Callable[[str], bool]:
    """Whether a pattern stands in this share of the lines."""

    def matches(text: str) -> bool:
        lines = _lines(text)
        return bool(lines) and sum(bool(pattern.search(line)) for line in lines) >= share * len(lines)

    return matches


def _is_slashed(text: str) -> bool:
    words = text.split()
    return bool(words) and sum(bool(_SLASHED.fullmatch(word)) for word in words) >= 0.8 * len(words)


def _has_tags_of_another_form(text: str) -> bool:
    """Whether most lines are a token and what could be its tag, not all of them the same."""
    last = [line.split()[-1] for line in _lines(text) if len(line.split()) > 1]
    like = [word for word in last if _TAG_LIKE.fullmatch(word)]
    return len(like) > 1 and len(like) >= 0.8 * len(_lines(text)) and len({*like}) > 1


def _is_yaml(text: str) -> bool:
    return bool(re.match(r"(?:---\s*\n|version:|nlu:)", text.lstrip())) and "\n" in text


def _is_prose(text: str) -> bool:
    """Whether sentences end and begin inside of lines that are wrapped, or lines hold several sentences each."""
    return _is_wrapped([line.strip() for line in text.split("\n")]) or _has_paragraphs(_lines(text))


def _is_wrapped(lines: Sequence[str]) -> bool:
    pairs = [(one, other) for one, other in pairwise(lines) if one and other]
    wrapped = sum(not re.search(r"[.!?:;。！？][\"')\]]*$", one) and other[0].islower() for one, other in pairs)
    ends = sum(bool(_SENTENCE_END.search(line)) for line in lines)
    return wrapped > len(pairs) / 2 and sum(len(line) > 40 for line in lines) > len(pairs) / 2 and ends > len(pairs) / 8


def _has_paragraphs(lines: Sequence[str]) -> bool:
    sentences = [1 + len(_SENTENCE_END.findall(line.strip()[:-1])) for line in lines]
    most = 4 if len(lines) > 1 else 2
    return bool(lines) and sum(count >= most for count in sentences) > len(lines) / 2


def _is_words(text: str) -> bool:
    """Whether every line is one word of a script with spaces."""
    return all(" " not in line.strip() and not is_unspaced(line) for line in _lines(text)) and bool(_lines(text))


_WORDS = "For tokens with blank lines between sentences: --format conll. For texts, one per line: --format lines"
_REWRITE = "Write the tags so, with capitals and a hyphen. For texts without labels, one per line: --format lines"
_TEXTS = "Write one text per line (--format lines says that it is so), or labelled text: edgener data formats"
KINDS = (
    UnreadableKind("an HTML page", _starts("<!doctype html", "<html", "<body", "<head"), _EXPORT),
    UnreadableKind("an XML document", _starts("<?xml"), _EXPORT),
    UnreadableKind("an RTF document", _starts("{\\rtf"), _EXPORT),
    UnreadableKind("CoNLL-2012 columns with brackets, such as (PERSON*", _starts("#begin document"), _EXPORT),
    UnreadableKind("LaTeX", _starts("\\documentclass", "\\begin{"), _EXPORT),
    UnreadableKind("YAML", _is_yaml, _EXPORT),
    UnreadableKind("text with inline tags such as <PER>...</PER> (inline XML)", _many(_ELEMENT, 0.2), _EXPORT),
    UnreadableKind("an XML document", _starts("<"), _EXPORT),
    UnreadableKind("text with inline entities such as [Oslo](LOC) or [LOC Oslo]", _many(_LINK, 0.2), _EXPORT),
    UnreadableKind("tokens with their tags behind a slash or a bar", _is_slashed, _EXPORT),
    UnreadableKind(
        "tokens with tags that are not written as B-LABEL, I-LABEL and O", _has_tags_of_another_form, _REWRITE
    ),
    UnreadableKind("a Markdown document", lambda text: bool(_HEADING.match(text.lstrip("\n"))), _TEXTS),
    UnreadableKind("a list of words without tags", _is_words, _WORDS),
    UnreadableKind("prose", _is_prose, _TEXTS),
)


def text_kind(text: str) -> UnreadableKind | None:
    """The kind of a text that has no columns of tags and is not one text per line."""
    return next((kind for kind in KINDS if kind.matches(text)), None)

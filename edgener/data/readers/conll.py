"""CoNLL columns: one token per line, blank lines between sentences, 1 to N columns by tab or space."""

from __future__ import annotations

from bisect import bisect
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from edgener.data.sentences import join_tokens
from edgener.data.tags import TAG, guess_scheme, spans_of
from edgener.data.types import Sentence
from edgener_runtime.errors import UserInputError

from .lines import BadLines

DOCUMENT_START = "-DOCSTART-"


@dataclass(frozen=True)
class ConllRow:
    """One line that is not blank: its number, its text and its columns."""

    line: int
    text: str
    columns: tuple[str, ...]


@dataclass(frozen=True)
class ColumnLayout:
    """Which column holds the token and which the tag (None where the file has tokens only), counted from 0."""

    token: int
    tag: int | None
    columns: int


def read(text: str, bad: BadLines, options: Mapping[str, Any]) -> tuple[list[Sentence], str, str]:
    """`read_conll` for the table of readers, with columns counted from 1."""
    token, tag = (column and column - 1 for column in (options.get("token_column"), options.get("tag_column")))
    sentences, scheme = read_conll(text, bad, token, tag, options.get("scheme", "auto"))
    return sentences, "conll", scheme


def read_conll(
    text: str, bad: BadLines, token_column: int | None = None, tag_column: int | None = None, scheme: str = "auto"
) -> tuple[list[Sentence], str]:
    """The sentences of a file in CoNLL columns and its tag scheme; columns count from 0.

    Raises UserInputError for a broken line unless `bad` skips it, and for a file without a column of tags.
    """
    blocks = list(_blocks(text))
    rows = [row for block in blocks for row in block]
    layout = _layout(rows, bad, token_column, tag_column)
    cells = [cells for block in blocks for cells in _sentences(block, layout, bad)]
    scheme = guess_scheme([tags for _, _, tags in cells]) if scheme == "auto" else scheme
    starts = [row.line for row in rows if row.columns[0] == DOCUMENT_START]
    sentences = [_sentence(line, tokens, tags, scheme, bad) for line, tokens, tags in cells]
    return [replace(sentence, document=bisect(starts, sentence.line)) for sentence in sentences], scheme


def _blocks(text: str) -> Iterator[list[ConllRow]]:
    """Runs of lines between blank ones; a line of white space is blank."""
    block: list[ConllRow] = []
    for number, line in enumerate(text.split("\n"), start=1):
        line = line.rstrip()
        if line:
            block.append(ConllRow(number, line, _columns(line)))
        elif block:
            yield block
            block = []
    if block:
        yield block


def _columns(line: str) -> tuple[str, ...]:
    """Columns by tab where the line has one, else by ASCII spaces; tokens may contain other white space."""
    return tuple(line.split("\t") if "\t" in line else (column for column in line.split(" ") if column))


def _layout(rows: Sequence[ConllRow], bad: BadLines, token: int | None, tag: int | None) -> ColumnLayout:
    """The given columns, or a guess: the first column of tags after an index column, else the last column of tags."""
    rows = [row for row in rows if not row.text.startswith("#") and row.columns[0] != DOCUMENT_START]
    if not rows:
        return ColumnLayout(token or 0, tag, 1)
    width = Counter(len(row.columns) for row in rows).most_common(1)[0][0]
    regular = [row.columns for row in rows if len(row.columns) == width]
    indexed = width > 2 and _share(columns[0].isdecimal() for columns in regular) >= 0.9
    if token is None:
        token = next((column for column in range(int(indexed), width) if column != tag), 0)
    if token == tag:
        raise UserInputError(
            f"{bad.path}: column {token + 1} cannot hold both the tokens and the tags",
            "Name the columns, counted from 1: --token-column 1 --tag-column 2",
        )
    if max(token, tag or 0) >= width:
        raise UserInputError(
            f"{bad.path}: column {max(token, tag or 0) + 1} was asked for; its lines have {width}",
            "Count the columns from 1: --token-column 1 --tag-column 2",
        )
    if tag is None and width > 1:
        tag = _guess_tag_column(regular, token, indexed, bad)
    return ColumnLayout(token, tag, width)


def _share(conditions: Iterable[bool]) -> float:
    """The share that is true; a few broken lines must not change the guess of a column."""
    results = list(conditions)
    return sum(results) / len(results)


def _guess_tag_column(rows: Sequence[tuple[str, ...]], token: int, indexed: bool, bad: BadLines) -> int:
    candidates = [
        column
        for column in range(len(rows[0]))
        if column != token and _share(bool(TAG.fullmatch(row[column])) for row in rows) >= 0.5
    ]
    if not candidates:
        raise UserInputError(
            f"{bad.path}: no column holds tags such as B-LABEL, I-LABEL or O; the first line reads {rows[0]}",
            "Name the columns, counted from 1: --token-column 1 --tag-column 2",
        )
    return candidates[0] if indexed else candidates[-1]


def _sentences(
    block: Sequence[ConllRow], layout: ColumnLayout, bad: BadLines
) -> Iterator[tuple[int, list[str], list[str]]]:
    """(line, tokens, tags) of each sentence in a run of lines; a document start ends a sentence."""
    line, tokens, tags = 0, list[str](), list[str]()
    for row in block:
        if row.columns[0] == DOCUMENT_START:
            if tokens:
                yield line, tokens, tags
            line, tokens, tags = 0, [], []
            continue
        cell = _cell(row, layout, bad)
        if cell:
            line = line or row.line
            tokens.append(cell[0])
            tags.append(cell[1])
    if tokens:
        yield line, tokens, tags


def _cell(row: ConllRow, layout: ColumnLayout, bad: BadLines) -> tuple[str, str] | None:
    """Token and tag of a line, or None for a comment or a skipped broken line."""
    columns, last = row.columns, max(layout.token, layout.tag or 0)
    tag = "O" if layout.tag is None else columns[layout.tag] if len(columns) > last else ""
    token = columns[layout.token].strip(" ") if len(columns) > last else ""
    if token and TAG.fullmatch(tag) and (layout.tag is not None or len(columns) == 1):
        return token, tag
    if row.text.startswith("#") and (len(columns) != layout.columns or not columns[0].strip("#")):
        bad.counts["comment lines"] += 1
    else:
        bad.report(row.line, row.text, _expected(layout))
    return None


def _expected(layout: ColumnLayout) -> str:
    if layout.tag is None:
        return "a token and no other column"
    columns = f"columns {layout.token + 1} and {layout.tag + 1} of {layout.columns}"
    return f"a token and a tag such as B-LABEL or O in {columns}"


def _sentence(line: int, tokens: list[str], tags: list[str], scheme: str, bad: BadLines) -> Sentence:
    spans, fixed = spans_of(tags, scheme)
    if fixed:
        bad.counts["entities that began without B-"] += fixed
    text, offsets = join_tokens(tokens)
    return Sentence(text, offsets, spans, line)

"""CoNLL columns: one token per line, blank lines between sentences, 1 to N columns by tab or space."""

from __future__ import annotations

from bisect import bisect
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from edgener.data.reasons import COMMENTS
from edgener.data.tags import AUTO, TAG
from edgener_runtime.errors import UserInputError

from .lines import BadLines, DataFile, Reading
from .tagged import PLAIN, TaggedTokens, is_plain, sentences_of_tags, with_prefix

DOCUMENT_START = "-DOCSTART-"
SAMPLE = 100_000  # characters, by which a format is guessed


@dataclass(frozen=True)
class ConllRow:
    """One line that is not blank: its number, its text and its columns."""

    line: int
    text: str
    columns: tuple[str, ...]


@dataclass(frozen=True)
class ColumnLayout:
    """Which column holds the token and which the tag (None where the file has tokens only), counted from 0.

    `plain` says that tags are names of labels without a prefix.
    """

    token: int
    tag: int | None
    columns: int
    plain: bool = False


def read(file: DataFile, bad: BadLines, options: Mapping[str, Any]) -> Reading:
    """`read_conll` for the table of readers, with columns counted from 1."""
    token, tag = (column and column - 1 for column in (options.get("token_column"), options.get("tag_column")))
    return read_conll(file.text, bad, token, tag, options.get("scheme", AUTO))


def has_columns(text: str) -> bool:
    """Whether a column of most lines holds tags, or all lines have the same few columns, by the first lines."""
    end = text.find("\n", SAMPLE)
    rows = _data_rows(row for block in _blocks(text if end < 0 else text[:end]) for row in block)
    if not rows:
        return False
    width, regular = _regular(rows)
    if len(regular) < len(rows) / 2 or width < 2:
        return False
    if _tag_columns(regular, int(_is_indexed(regular))):
        return True
    return len(regular) > 0.95 * len(rows) and width <= 10 and (len(rows) >= 10 or "\t" in rows[0].text)


def read_conll(
    text: str, bad: BadLines, token_column: int | None = None, tag_column: int | None = None, scheme: str = AUTO
) -> Reading:
    """The sentences of a file in CoNLL columns and its tag scheme; columns count from 0.

    Raises UserInputError for a broken line unless `bad` skips it, and for a file without a column of tags.
    """
    blocks = list(_blocks(text))
    rows = [row for block in blocks for row in block]
    layout = _layout(rows, bad, token_column, tag_column)
    starts = [row.line for row in rows if row.columns[0] == DOCUMENT_START]
    tagged = [tagged for block in blocks for tagged in _sentences(block, layout, bad)]
    tagged = [replace(sentence, document=bisect(starts, sentence.line)) for sentence in tagged]
    sentences, scheme = sentences_of_tags(tagged, scheme, bad)
    return Reading(sentences, "conll", scheme, labelled=layout.tag is not None)


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
    rows = _data_rows(rows)
    if not rows:
        return ColumnLayout(token or 0, tag, 1)
    width, regular = _regular(rows)
    indexed = _is_indexed(regular)
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
    return ColumnLayout(token, tag, width, tag is not None and is_plain(row[tag] for row in regular))


def _data_rows(rows: Iterable[ConllRow]) -> list[ConllRow]:
    """The rows that are neither comments nor document starts."""
    return [row for row in rows if not row.text.startswith("#") and row.columns[0] != DOCUMENT_START]


def _regular(rows: Sequence[ConllRow]) -> tuple[int, list[tuple[str, ...]]]:
    """The most common number of columns, and the rows that have it."""
    width = max(Counter(len(row.columns) for row in rows).most_common(1), default=(0, 0))[0]
    return width, [row.columns for row in rows if len(row.columns) == width]


def _is_indexed(rows: Sequence[tuple[str, ...]]) -> bool:
    """Whether the first of several columns numbers the tokens."""
    return len(rows[0] if rows else ()) > 2 and _share(row[0].isdecimal() for row in rows) >= 0.9


def _share(conditions: Iterable[bool]) -> float:
    """The share that is true; a few broken lines must not change the guess of a column."""
    results = list(conditions)
    return sum(results) / len(results)


def _guess_tag_column(rows: Sequence[tuple[str, ...]], token: int, indexed: bool, bad: BadLines) -> int:
    candidates = _tag_columns(rows, token)
    if not candidates:
        raise UserInputError(
            f"{bad.path}: no column holds tags such as B-LABEL, I-LABEL or O; the first line reads {rows[0]}",
            "Name the columns, counted from 1: --token-column 1 --tag-column 2. "
            "For texts without labels, one per line: --format lines",
        )
    return candidates[0] if indexed else candidates[-1]


def _tag_columns(rows: Sequence[tuple[str, ...]], token: int) -> list[int]:
    """The columns of tags, else those of names of labels beside O."""
    columns = [column for column in range(len(rows[0]) if rows else 0) if column != token]
    with_tags = [column for column in columns if _share(bool(TAG.fullmatch(row[column])) for row in rows) >= 0.5]
    return with_tags or [column for column in columns if _holds_names([row[column] for row in rows])]


def _holds_names(values: Sequence[str]) -> bool:
    """Whether values are few names of labels, with O among them."""
    names = set(values)
    few = len(names) < min(100, len(values))
    return "O" in names and few and is_plain(names) and _share(bool(PLAIN.fullmatch(value)) for value in values) >= 0.9


def _sentences(block: Sequence[ConllRow], layout: ColumnLayout, bad: BadLines) -> Iterator[TaggedTokens]:
    """Each sentence in a run of lines; a document start ends a sentence."""
    line, tokens, tags = 0, list[str](), list[str]()
    for row in block:
        if row.columns[0] == DOCUMENT_START:
            if tokens:
                yield TaggedTokens(line, tokens, tags)
            line, tokens, tags = 0, [], []
            continue
        cell = _cell(row, layout, bad)
        if cell:
            line = line or row.line
            tokens.append(cell[0])
            tags.append(cell[1])
    if tokens:
        yield TaggedTokens(line, tokens, tags)


def _cell(row: ConllRow, layout: ColumnLayout, bad: BadLines) -> tuple[str, str] | None:
    """Token and tag of a line, or None for a comment or a skipped broken line."""
    columns, last = row.columns, max(layout.token, layout.tag or 0)
    tag = "O" if layout.tag is None else columns[layout.tag].strip() if len(columns) > last else ""
    token = columns[layout.token].strip(" ") if len(columns) > last else ""
    if token and _is_tag(tag, layout.plain) and (layout.tag is not None or len(columns) == 1):
        return token, with_prefix(tag) if layout.plain else tag
    if row.text.startswith("#") and (len(columns) != layout.columns or not columns[0].strip("#")):
        bad.counts[COMMENTS] += 1
    else:
        bad.report(row.line, row.text, _expected(layout))
    return None


def _is_tag(tag: str, plain: bool) -> bool:
    return bool((PLAIN if plain else TAG).fullmatch(tag))


def _expected(layout: ColumnLayout) -> str:
    if layout.tag is None:
        return "a token and no other column"
    columns = f"columns {layout.token + 1} and {layout.tag + 1} of {layout.columns}"
    return f"a token and a tag such as {'LABEL' if layout.plain else 'B-LABEL'} or O in {columns}"
